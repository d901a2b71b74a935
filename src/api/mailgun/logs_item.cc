#include "api/mailgun/logs_item.h"

#include "base/dates.h"
#include "json/cursor.h"
#include "json/writer.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace eventhorn::api {
namespace {

using json::Cursor;
using json::Kind;

constexpr std::array<std::string_view, 6> kFlags = {"is-authenticated",  "is-system-test",
                                                    "is-routed",         "is-test-mode",
                                                    "is-delayed-bounce", "is-callback"};

/// The text of the value that starts here, which is passed.
std::string_view raw_value(Cursor& in) {
  in.kind();
  const char* begin = in.position();
  in.skip();
  return {begin, static_cast<size_t>(in.position() - begin)};
}

/// The value that starts here.
void copy(Cursor& in, json::Writer& w) {
  w.raw(raw_value(in));
}

/// A key as it came, which may be escaped.
void write_key(json::Writer& w, const json::Text& key) {
  std::string plain;
  json::append_unescaped(plain, key.raw);
  w.key(plain);
}

void write_storage(Cursor& in, json::Writer& w) {
  if (in.kind() != Kind::kObject) return copy(in, w);
  w.begin_object();
  json::Text key;
  for (in.enter(); in.next_key(key);) {
    write_key(w, key);
    const bool listed = key.raw == "url" && in.kind() == Kind::kString;
    if (listed) w.begin_array();
    copy(in, w);
    if (listed) w.end_array();
  }
  w.end_object();
}

// ["forward(\"a\")","stop()"] as one text.
void write_actions(Cursor& in, json::Writer& w) {
  if (in.kind() != Kind::kArray) return copy(in, w);
  std::string joined;
  for (in.enter(); in.next();) {
    if (!joined.empty()) joined += ", ";
    if (in.kind() == Kind::kString) {
      json::append_unescaped(joined, in.string().raw);
    } else {
      joined += raw_value(in);
    }
  }
  w.value(joined);
}

void write_route(Cursor& in, json::Writer& w) {
  if (in.kind() != Kind::kObject) return copy(in, w);
  w.begin_object();
  json::Text key;
  for (in.enter(); in.next_key(key);) {
    write_key(w, key);
    key.raw == "actions" ? write_actions(in, w) : copy(in, w);
  }
  w.end_object();
}

void write_routes(Cursor& in, json::Writer& w) {
  if (in.kind() != Kind::kArray) return write_route(in, w);
  bool first = true;
  for (in.enter(); in.next(); first = false) {
    if (first) {
      write_route(in, w);
    } else {
      in.skip();
    }
  }
  if (first) w.begin_object().end_object();
}

void write_account(Cursor& in, json::Writer& w) {
  bool has_parent = false;
  w.begin_object();
  json::Text key;
  for (in.enter(); in.next_key(key);) {
    has_parent = has_parent || key.raw == "parent-id";
    write_key(w, key);
    copy(in, w);
  }
  if (!has_parent) w.key("parent-id").value("");
  w.end_object();
}

void write_missing_flags(json::Writer& w, std::array<bool, kFlags.size()> has) {
  for (size_t i = 0; i < kFlags.size(); ++i)
    if (!has[i]) w.key(kFlags[i]).value(false);
}

// null is none.
void write_flags(Cursor& in, json::Writer& w) {
  std::array<bool, kFlags.size()> has{};
  w.begin_object();
  if (in.kind() != Kind::kObject) {
    in.skip();
    write_missing_flags(w, has);
    w.end_object();
    return;
  }
  json::Text key;
  for (in.enter(); in.next_key(key);) {
    const auto at = std::ranges::find(kFlags, key.raw);
    if (at != kFlags.end() && in.kind() == Kind::kNull) {
      in.skip();
      continue;
    }
    if (at != kFlags.end()) has[static_cast<size_t>(at - kFlags.begin())] = true;
    write_key(w, key);
    copy(in, w);
  }
  write_missing_flags(w, has);
  w.end_object();
}

}  // namespace

void append_logs_item(std::string& out, const event::Event& event) {
  json::Writer w(out);
  Cursor in(event.bytes);
  bool has_flags = false;
  json::Text key;
  w.begin_object();
  in.kind();
  for (in.enter(); in.next_key(key);) {
    if (key.raw == "timestamp") {
      in.skip();
      w.key("@timestamp").value(format_iso8601(from_micros(event.timestamp_us)));
      continue;
    }
    write_key(w, key);
    if (key.raw == "user-variables") {
      w.value(raw_value(in));
    } else if (key.raw == "storage") {
      write_storage(in, w);
    } else if (key.raw == "routes") {
      write_routes(in, w);
    } else if (key.raw == "account" && in.kind() == Kind::kObject) {
      write_account(in, w);
    } else if (key.raw == "flags") {
      has_flags = true;
      write_flags(in, w);
    } else {
      copy(in, w);
    }
  }
  if (!has_flags) {
    w.key("flags").begin_object();
    write_missing_flags(w, {});
    w.end_object();
  }
  w.end_object();
}

}  // namespace eventhorn::api
