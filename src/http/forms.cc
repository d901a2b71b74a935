#include "http/forms.h"

#include "base/strings.h"

#include <algorithm>

namespace eventhorn::http {
namespace {

constexpr size_t kMaxBoundaryBytes = 70;  // RFC 2046 section 5.1.1
// Three exist (name, filename, filename*); the search for duplicates is quadratic.
constexpr size_t kMaxParameters = 16;
constexpr auto kNpos = std::string_view::npos;

tl::unexpected<Error> malformed(std::string message) {
  return fail(Errc::kInvalidArgument, std::move(message));
}

bool names(const FormField& field, std::string_view name) {
  return field.name == name || list_name(field.name) == name;
}

Status add_field(std::vector<FormField>& fields, FormField field) {
  if (fields.size() == kMaxFormFields) {
    return fail(Errc::kTooLarge,
                "form must have at most " + std::to_string(kMaxFormFields) + " fields");
  }
  if (field.name.size() > kMaxFieldNameBytes) {
    return fail(Errc::kTooLarge, "form field names must have at most " +
                                     std::to_string(kMaxFieldNameBytes) + " bytes");
  }
  fields.push_back(std::move(field));
  return {};
}

struct Parameter {
  std::string name;  // lower case
  std::string value;
};

// A header value such as `form-data; name="a"; filename=b` (RFC 2045 section 5.1).
struct HeaderValue {
  std::string value;  // lower case
  std::vector<Parameter> parameters;

  const std::string* find(std::string_view name) const {
    const auto found = std::ranges::find(parameters, name, &Parameter::name);
    return found == parameters.end() ? nullptr : &found->value;
  }
};

// Takes a quoted string off the front of `text`, which begins with '"'. Only \" and \\ are escapes:
// old browsers send Windows paths as they are. nullopt when it does not end.
std::optional<std::string> take_quoted(std::string_view& text) {
  std::string out;
  for (size_t i = 1; i < text.size(); ++i) {
    if (text[i] == '"') {
      text.remove_prefix(i + 1);
      return out;
    }
    const bool escape =
        text[i] == '\\' && i + 1 < text.size() && (text[i + 1] == '"' || text[i + 1] == '\\');
    if (escape) ++i;
    out.push_back(text[i]);
  }
  return std::nullopt;
}

// nullopt for a malformed value and for a parameter given twice, whose meaning would be a matter of
// taste.
std::optional<HeaderValue> parse_header_value(std::string_view text) {
  const auto semicolon = std::min(text.find(';'), text.size());
  HeaderValue out{to_lower(trim(text.substr(0, semicolon))), {}};
  text = trim(text.substr(semicolon));
  while (text.starts_with(';')) {
    text = trim(text.substr(1));
    if (text.empty() || text.starts_with(';')) continue;
    const auto equals = text.find('=');
    if (equals == kNpos) return std::nullopt;
    Parameter parameter{to_lower(trim(text.substr(0, equals))), {}};
    text = trim(text.substr(equals + 1));
    if (text.starts_with('"')) {
      auto quoted = take_quoted(text);
      if (!quoted) return std::nullopt;
      parameter.value = std::move(*quoted);
      text = trim(text);
    } else {
      const auto end = std::min(text.find(';'), text.size());
      parameter.value = trim(text.substr(0, end));
      text.remove_prefix(end);
    }
    if (out.find(parameter.name) != nullptr || out.parameters.size() == kMaxParameters)
      return std::nullopt;
    out.parameters.push_back(std::move(parameter));
  }
  if (!text.empty()) return std::nullopt;
  return out;
}

bool has_control(std::string_view text) {
  return std::ranges::any_of(text, [](char c) { return is_control(c) && c != '\t'; });
}

// utf-8''na%C3%AFve.txt (RFC 5987); nullopt when malformed.
std::optional<std::string> decode_extended(std::string_view text) {
  const auto quote = text.find('\'');
  const auto second = quote == kNpos ? kNpos : text.find('\'', quote + 1);
  if (second == kNpos) return std::nullopt;
  return percent_decode(text.substr(second + 1), false);
}

Result<std::string> find_boundary(std::string_view content_type) {
  const auto header = parse_header_value(content_type);
  if (!header) return malformed("content-type is malformed");
  const std::string* boundary = header->find("boundary");
  if (boundary == nullptr || boundary->empty()) return malformed("multipart boundary is missing");
  if (boundary->size() > kMaxBoundaryBytes ||
      boundary->find_first_of("\r\n") != std::string::npos) {
    return malformed("multipart boundary must have at most 70 bytes on one line");
  }
  return *boundary;
}

// Where the line of the next delimiter begins and what follows it.
struct Delimiter {
  size_t begin = 0;  // of "--boundary"
  size_t after = 0;  // behind its line, where the next part begins
  bool closing = false;
};

// A boundary followed by other text is data, not a delimiter (RFC 2046 section 5.1.1). `marker` is
// "--" and the boundary; it counts only at the start of a line.
std::optional<Delimiter> find_delimiter(std::string_view body, std::string_view marker,
                                        size_t from) {
  for (size_t at = body.find(marker, from); at != kNpos; at = body.find(marker, at + 1)) {
    if (at != 0 && (at < 2 || body.substr(at - 2, 2) != "\r\n")) continue;
    const size_t end = at + marker.size();
    if (body.substr(end).starts_with("--")) return Delimiter{at, end + 2, true};
    const size_t line_end = body.find_first_not_of(" \t", end);
    if (line_end != kNpos && body.substr(line_end).starts_with("\r\n"))
      return Delimiter{at, line_end + 2, false};
  }
  return std::nullopt;
}

Status read_part_header(std::string_view line, const std::string& part, FormField& field,
                        bool& named) {
  const auto colon = line.find(':');
  if (colon == kNpos || line.starts_with(' ') || line.starts_with('\t') || has_control(line)) {
    return malformed(part + ": header line is malformed");
  }
  const std::string_view name = line.substr(0, colon);
  const std::string_view value = trim(line.substr(colon + 1));
  if (equals_ignore_case(name, "content-type")) {
    field.content_type = value;
  } else if (equals_ignore_case(name, "content-transfer-encoding")) {
    const std::string encoding = to_lower(value);
    if (encoding != "binary" && encoding != "8bit" && encoding != "7bit") {
      return malformed(part + ": content-transfer-encoding must be binary, 8bit or 7bit");
    }
  } else if (equals_ignore_case(name, "content-disposition")) {
    const auto disposition = parse_header_value(value);
    if (named || !disposition || disposition->value != "form-data") {
      return malformed(part + ": content-disposition must be one form-data");
    }
    const std::string* field_name = disposition->find("name");
    if (field_name == nullptr) return malformed(part + ": content-disposition has no name");
    named = true;
    field.name = *field_name;
    if (const std::string* filename = disposition->find("filename")) field.filename = *filename;
    if (const std::string* extended = disposition->find("filename*")) {
      field.filename = decode_extended(*extended);
      if (!field.filename || has_control(*field.filename))
        return malformed(part + ": filename* is malformed");
    }
  }
  return {};
}

// `text` is a part without its delimiters: header lines, an empty line, the value.
Result<FormField> parse_part(std::string_view text, const std::string& part) {
  FormField field;
  bool named = false;
  size_t at = 0;
  // Without a value the empty line may be missing (RFC 2046 section 5.1.1, body-part).
  while (at < text.size()) {
    const auto end = text.find("\r\n", at);
    if (std::min(end, text.size()) > kMaxPartHeaderBytes) {
      return fail(Errc::kTooLarge, part + ": headers must have at most " +
                                       std::to_string(kMaxPartHeaderBytes) + " bytes");
    }
    if (end == kNpos) return malformed(part + ": headers do not end");
    if (end == at) {
      field.value = text.substr(at + 2);
      break;
    }
    TRY_STATUS(read_part_header(text.substr(at, end - at), part, field, named));
    at = end + 2;
  }
  if (!named) return malformed(part + ": content-disposition is missing");
  return field;
}

Result<Form> parse_multipart(std::string_view content_type, std::string_view body) {
  TRY(const std::string boundary, find_boundary(content_type));
  const std::string marker = "--" + boundary;
  auto delimiter = find_delimiter(body, marker, 0);
  if (!delimiter) return malformed("multipart body does not hold its boundary");
  std::vector<FormField> fields;
  while (!delimiter->closing) {
    const size_t begin = delimiter->after;
    delimiter = find_delimiter(body, marker, begin);
    if (!delimiter) return malformed("multipart body has no closing delimiter");
    // The line break before a delimiter belongs to the delimiter.
    const size_t end = std::max(begin, delimiter->begin - 2);
    const std::string part = "multipart part " + std::to_string(fields.size() + 1);
    TRY(FormField field, parse_part(body.substr(begin, end - begin), part));
    TRY_STATUS(add_field(fields, std::move(field)));
  }
  return Form(std::move(fields));
}

}  // namespace

std::string_view list_name(std::string_view name) {
  const auto open = name.rfind('[');
  if (!name.ends_with(']') || open == kNpos) return name;
  const auto index = name.substr(open + 1, name.size() - open - 2);
  return index.find_first_not_of("0123456789") == kNpos ? name.substr(0, open) : name;
}

std::optional<std::string_view> Form::first(std::string_view name) const {
  for (const FormField& field : fields_) {
    if (names(field, name)) return field.value;
  }
  return std::nullopt;
}

std::vector<std::string_view> Form::all(std::string_view name) const {
  std::vector<std::string_view> out;
  for (const FormField& field : fields_) {
    if (names(field, name)) out.push_back(field.value);
  }
  return out;
}

std::string media_type(std::string_view content_type) {
  return to_lower(trim(content_type.substr(0, content_type.find(';'))));
}

FormType form_type(std::string_view content_type) {
  if (trim(content_type).empty()) return FormType::kNone;
  const auto type = media_type(content_type);
  if (type == "application/x-www-form-urlencoded") return FormType::kUrlEncoded;
  if (type == "multipart/form-data") return FormType::kMultipart;
  return FormType::kOther;
}

Result<Form> parse_form(std::string_view content_type, std::string_view body) {
  if (body.empty()) return Form();
  switch (form_type(content_type)) {
    case FormType::kUrlEncoded:
      return parse_query(body);
    case FormType::kMultipart:
      return parse_multipart(content_type, body);
    case FormType::kNone:
      return malformed("content-type is missing");
    case FormType::kOther:
      break;
  }
  return malformed("content-type must be multipart/form-data or application/x-www-form-urlencoded");
}

Result<Form> parse_query(std::string_view query) {
  std::vector<FormField> fields;
  while (!query.empty()) {
    const std::string_view piece = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(piece.size() + 1, query.size()));
    if (piece.empty()) continue;
    const auto equals = std::min(piece.find('='), piece.size());
    auto name = percent_decode(piece.substr(0, equals), true);
    auto value = percent_decode(piece.substr(std::min(equals + 1, piece.size())), true);
    if (!name || !value) {
      return malformed("form field " + std::to_string(fields.size() + 1) +
                       " has a broken percent escape");
    }
    TRY_STATUS(add_field(fields, FormField{std::move(*name), std::move(*value)}));
  }
  return Form(std::move(fields));
}

}  // namespace eventhorn::http
