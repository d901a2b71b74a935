#include "http/router.h"

#include "base/check.h"
#include "base/strings.h"

#include <algorithm>
#include <map>

namespace eventhorn::http {
namespace {

struct Entry {
  Route route;
  std::vector<std::string> names;
};

// Takes the next segment off `path`, which starts with a slash.
std::string_view take_segment(std::string_view& path) {
  const auto end = std::min(path.find('/', 1), path.size());
  const auto segment = path.substr(1, end - 1);
  path.remove_prefix(end);
  return segment;
}

}  // namespace

// The routes as a tree of segments.
struct Router::Node {
  std::map<std::string, std::unique_ptr<Node>, std::less<>> literals;
  std::unique_ptr<Node> parameter;
  std::vector<Entry> here;  // patterns that end with this segment
  std::vector<Entry> rest;  // patterns that end with /*rest after it

  void insert(Entry entry);
  const std::vector<Entry>* find(std::string_view path,
                                 std::vector<std::string_view>& values) const;
};

void Router::Node::insert(Entry entry) {
  Node* node = this;
  std::vector<Entry>* slot = nullptr;
  std::string_view left = entry.route.pattern;
  CHECK(left.starts_with('/'));
  while (!left.empty()) {
    const auto segment = take_segment(left);
    if (segment.starts_with('*')) {
      CHECK(segment.size() > 1 && left.empty());
      entry.names.emplace_back(segment.substr(1));
      slot = &node->rest;
    } else if (segment.starts_with('{')) {
      CHECK(segment.size() > 2 && segment.ends_with('}'));
      entry.names.emplace_back(segment.substr(1, segment.size() - 2));
      if (!node->parameter) node->parameter = std::make_unique<Node>();
      node = node->parameter.get();
    } else {
      auto& child = node->literals[std::string(segment)];
      if (!child) child = std::make_unique<Node>();
      node = child.get();
    }
  }
  if (slot == nullptr) slot = &node->here;
  const auto same = [&](const Entry& other) { return other.route.method == entry.route.method; };
  CHECK(std::none_of(slot->begin(), slot->end(), same));
  slot->push_back(std::move(entry));
}

// `values` holds the raw values of the parameters on the way down. The depth is that of the
// patterns, so hostile paths cost no more than friendly ones.
const std::vector<Entry>* Router::Node::find(std::string_view path,
                                             std::vector<std::string_view>& values) const {
  if (path.empty()) return here.empty() ? nullptr : &here;
  auto left = path;
  const auto segment = take_segment(left);
  if (const auto child = literals.find(segment); child != literals.end()) {
    if (const auto* found = child->second->find(left, values)) return found;
  }
  const size_t depth = values.size();
  if (parameter && !segment.empty()) {
    values.push_back(segment);
    if (const auto* found = parameter->find(left, values)) return found;
    values.resize(depth);
  }
  if (rest.empty()) return nullptr;
  values.push_back(path.substr(1));
  return &rest;
}

namespace {

const Entry* find_method(const std::vector<Entry>& entries, std::string_view method) {
  const auto with = [&](std::string_view wanted) {
    const auto it = std::find_if(entries.begin(), entries.end(),
                                 [&](const Entry& e) { return e.route.method == wanted; });
    return it == entries.end() ? nullptr : &*it;
  };
  if (const auto* entry = with(method)) return entry;
  if (method == "HEAD") {
    if (const auto* entry = with("GET")) return entry;
  }
  return with("*");
}

std::string allow_value(const std::vector<Entry>& entries) {
  std::string out;
  for (const auto& entry : entries) {
    if (!out.empty()) out += ", ";
    out += entry.route.method;
  }
  if (find_method(entries, "HEAD") != nullptr && out.find("HEAD") == std::string::npos)
    out += ", HEAD";
  return out;
}

}  // namespace

const std::string* PathParams::find(std::string_view name) const {
  for (const auto& [known, value] : all_) {
    if (known == name) return &value;
  }
  return nullptr;
}

const std::string& PathParams::at(std::string_view name) const {
  const auto* value = find(name);
  CHECK(value != nullptr);
  return *value;
}

Router::Router() : root_(std::make_unique<Node>()) {}

Router::~Router() = default;
Router::Router(Router&&) noexcept = default;
Router& Router::operator=(Router&&) noexcept = default;

void Router::add(std::vector<Route> routes) {
  for (auto& route : routes) root_->insert({std::move(route), {}});
}

Router::Match Router::match(std::string_view method, std::string_view path) const {
  Match out;
  if (!path.starts_with('/')) return out;
  std::vector<std::string_view> values;
  const auto* entries = root_->find(path, values);
  if (entries == nullptr) return out;
  const Entry* entry = find_method(*entries, method);
  if (entry == nullptr) {
    out.status = 405;
    out.allow = allow_value(*entries);
    return out;
  }
  for (size_t i = 0; i < values.size(); ++i) {
    auto value = percent_decode(values[i], false);
    if (!value) {
      out.status = 400;
      return out;
    }
    out.params.add(entry->names[i], std::move(*value));
  }
  out.status = 200;
  out.route = &entry->route;
  return out;
}

Verdict Router::admit(const Request& head) const {
  auto found = match(head.method, head.path);
  if (found.status == 400)
    return tl::unexpected(message_response(400, "path: broken percent-encoding"));
  if (found.status == 404) return tl::unexpected(message_response(404, "Not Found"));
  if (found.status == 405) {
    auto response = message_response(405, "Method Not Allowed");
    response.fields.add("Allow", std::move(found.allow));
    return tl::unexpected(std::move(response));
  }
  return Admitted{found.route, std::move(found.params)};
}

Task<Response> run(const Admitted& admitted, RequestContext& context) {
  auto reply = co_await admitted.route->handler(context);
  auto response = reply ? *std::move(reply) : std::move(reply).error().answer;
  for (const auto& [name, value] : admitted.answer_fields.all()) response.fields.set(name, value);
  co_return response;
}

}  // namespace eventhorn::http
