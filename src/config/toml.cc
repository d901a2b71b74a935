#include "config/value.h"

#include <fmt/format.h>
#include <toml++/toml.h>

namespace eventhorn::config {
namespace {

Result<Value> to_value(const toml::node& node) {
  if (const auto* v = node.as_boolean()) return Value(v->get());
  if (const auto* v = node.as_integer()) return Value(v->get());
  if (const auto* v = node.as_floating_point()) return Value(v->get());
  if (const auto* v = node.as_string()) return Value(v->get());
  const auto* array = node.as_array();
  if (array == nullptr) return fail(Errc::kInvalidArgument, "must not be a date or a time");
  std::vector<std::string> items;
  for (const toml::node& item : *array) {
    const auto* text = item.as_string();
    if (text == nullptr) {
      return fail(Errc::kInvalidArgument, R"(must be a list of strings such as ["a", "b"])");
    }
    items.push_back(text->get());
  }
  return Value(std::move(items));
}

void flatten(const toml::table& table, const std::string& prefix, std::vector<FileEntry>& out) {
  for (const auto& [key, node] : table) {
    const std::string path =
        prefix.empty() ? std::string(key.str()) : prefix + "." + std::string(key.str());
    if (const auto* child = node.as_table()) {
      flatten(*child, path, out);
    } else {
      out.push_back({path, to_value(node), static_cast<uint32_t>(node.source().begin.line)});
    }
  }
}

}  // namespace

Result<std::vector<FileEntry>> parse_toml(std::string_view text) {
  try {
    const toml::table table = toml::parse(text);
    std::vector<FileEntry> out;
    flatten(table, "", out);
    return out;
  } catch (const toml::parse_error& error) {
    const auto at = error.source().begin;
    return fail(Errc::kInvalidArgument, fmt::format("line {}, column {}: not TOML: {}", at.line,
                                                    at.column, error.description()));
  }
}

Result<Value> parse_toml_value(std::string_view text) {
  // A second line could smuggle in a second setting.
  if (text.find_first_of("\r\n") != std::string_view::npos) {
    return fail(Errc::kInvalidArgument, "must be on one line");
  }
  TRY(const auto entries, parse_toml("value = " + std::string(text)));
  if (entries.size() != 1 || entries[0].key != "value") {
    return fail(Errc::kInvalidArgument, "must be one value");
  }
  return entries[0].value;
}

std::string quote_toml(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto b = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (b < 0x20 || b == 0x7f) {
      out += fmt::format("\\u{:04X}", b);
    } else {
      out.push_back(c);
    }
  }
  return out + "\"";
}

}  // namespace eventhorn::config
