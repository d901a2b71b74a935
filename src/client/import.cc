// Reads events, and sends them in batches. What is not known to be stored is sent again, by the
// same ids.
#include "base/strings.h"
#include "client/commands.h"
#include "client/input.h"
#include "client/items.h"
#include "crypto/hash.h"
#include "json/reader.h"
#include "json/writer.h"

#include <fmt/format.h>

#include <cstdio>
#include <optional>

namespace eventhorn::client {
namespace {

constexpr size_t kMaxItemBytes = size_t{16} << 20;
constexpr size_t kBatchItems = 500;
constexpr size_t kBatchBytes = size_t{2} << 20;
constexpr size_t kMaxTold = 100;  // rejected ones that are named

struct Rejection {
  std::string file;
  size_t line = 0;
  std::string id;
  std::string message;
};

struct Counts {
  size_t stored = 0;
  size_t duplicates = 0;
  size_t conflicts = 0;
  size_t rejected = 0;
  std::vector<Rejection> told;
};

// What repeats of the command give the same event without an id.
std::string with_id(const std::string& item) {
  constexpr size_t kBytes = 16;
  const auto hash = crypto::sha256(item);
  const std::string id = base64url_encode(crypto::bytes_of(hash).substr(0, kBytes));
  const bool empty = item.find_first_not_of(" ", 1) == item.size() - 1;
  return R"({"id":"import-)" + id + (empty ? "\"" : "\",") + item.substr(1);
}

size_t number_at(const json::Value& answer, std::string_view key) {
  const auto* value = answer.find(key);
  const auto number = value != nullptr ? value->as_int() : std::nullopt;
  return static_cast<size_t>(std::max<int64_t>(number.value_or(0), 0));
}

std::string text_at(const json::Value& answer, std::string_view key) {
  const auto* value = answer.find(key);
  return value != nullptr && value->as_string() != nullptr ? *value->as_string() : std::string();
}

class Import {
 public:
  explicit Import(const ImportOptions& options)
      : options_(options),
        session_(options.server),
        target_("/v3/" + percent_encode(options.domain) + "/events?deliver=no") {}

  Outcome<Counts> run() {
    if (auto opened = session_.open(); !opened) return tl::unexpected(opened.error());
    const std::vector<std::string> stdin_alone = {"-"};
    const auto& files = options_.files.empty() ? stdin_alone : options_.files;
    for (const auto& file : files) {
      if (auto read = run_file(file); !read) return tl::unexpected(read.error());
    }
    if (auto sent = send(); !sent) return tl::unexpected(sent.error());
    return std::move(counts_);
  }

 private:
  Outcome<void> run_file(const std::string& file) {
    auto input = Input::open(file);
    if (!input) return tl::unexpected(Failure{Exit::kUsage, input.error().message});
    std::vector<Item> found;
    const std::string name = file == "-" ? "stdin" : file;
    ItemReader items(
        kMaxItemBytes, [&](Item item) { found.push_back(std::move(item)); },
        [&](size_t line, const std::string& why) { reject({name, line, {}, why}); });
    const auto add_found = [&]() -> Outcome<void> {
      for (auto& item : found) {
        if (auto added = add(name, std::move(item)); !added) return added;
      }
      found.clear();
      return {};
    };
    for (;;) {
      auto piece = input->read();
      if (!piece) return tl::unexpected(Failure{Exit::kFailed, piece.error().message});
      if (!*piece) break;
      items.feed(**piece);
      if (auto added = add_found(); !added) return added;
      line_.show([&] {
        const auto percent = input->percent();
        return fmt::format("{}{}: {} stored, {} duplicates, {} rejected", name,
                           percent ? fmt::format(" {} %", *percent) : "", counts_.stored,
                           counts_.duplicates, counts_.rejected);
      });
    }
    items.finish();
    return add_found();
  }

  Outcome<void> add(const std::string& file, Item item) {
    if (!item.has_id) item.text = with_id(item.text);
    const bool is_full = places_.size() == kBatchItems ||
                         (!places_.empty() && batch_.size() + item.text.size() > kBatchBytes);
    if (is_full) {
      if (auto sent = send(); !sent) return sent;
    }
    batch_ += item.text;
    batch_ += '\n';
    places_.push_back({file, item.line, {}, {}});
    return {};
  }

  Outcome<void> send() {
    if (places_.empty()) return {};
    const auto reply = session_.call({"POST", target_, "application/x-ndjson", batch_});
    if (!reply) return tl::unexpected(reply.error());
    const auto answer = json::parse(reply->body);
    const auto* rejected = answer ? answer->find("rejected") : nullptr;
    const bool counted = (reply->status == 200 || reply->status == 400) && rejected != nullptr &&
                         rejected->as_array() != nullptr;
    if (!counted) return tl::unexpected(Session::refused(*reply));
    counts_.stored += number_at(*answer, "stored");
    counts_.duplicates += number_at(*answer, "duplicates");
    counts_.conflicts += number_at(*answer, "conflicts");
    for (const auto& one : *rejected->as_array()) {
      const size_t index = number_at(one, "index");
      if (index >= places_.size()) continue;
      auto& place = places_[index];
      reject({std::move(place.file), place.line, text_at(one, "id"), text_at(one, "message")});
    }
    batch_.clear();
    places_.clear();
    return {};
  }

  void reject(Rejection rejection) {
    ++counts_.rejected;
    if (counts_.told.size() < kMaxTold) counts_.told.push_back(std::move(rejection));
  }

  const ImportOptions& options_;
  Session session_;
  const std::string target_;
  std::string batch_;
  std::vector<Rejection> places_;  // of the batch's items
  Counts counts_;
  ProgressLine line_;
};

std::string as_json(const Counts& counts) {
  std::string out;
  json::Writer w(out);
  w.begin_object();
  w.key("stored").value(counts.stored);
  w.key("duplicates").value(counts.duplicates);
  w.key("conflicts").value(counts.conflicts);
  w.key("rejected").value(counts.rejected);
  w.key("rejections").begin_array();
  for (const auto& r : counts.told) {
    w.begin_object().key("file").value(r.file).key("line").value(r.line);
    w.key("id").value(r.id).key("message").value(r.message).end_object();
  }
  w.end_array().end_object();
  return out;
}

}  // namespace

int import_events(const ImportOptions& options) {
  end_when_interrupted(
      "\neventhorn: interrupted. What was sent is stored: run the same command again, and it "
      "counts "
      "as duplicates\n");
  const auto counts = Import(options).run();
  if (!counts) return end_with(counts.error());
  if (options.json) {
    fmt::print("{}\n", as_json(*counts));
  } else {
    for (const auto& r : counts->told)
      fmt::print(stderr, "{}, line {}: {}{}{}\n", r.file, r.line, escape_for_log(r.message),
                 r.id.empty() ? "" : ", id ", escape_for_log(r.id));
    if (counts->rejected > counts->told.size())
      fmt::print(stderr, "... and {} more\n", counts->rejected - counts->told.size());
    fmt::print("stored {}, duplicates {} (conflicts {}), rejected {}\n", counts->stored,
               counts->duplicates, counts->conflicts, counts->rejected);
  }
  return static_cast<int>(counts->rejected > 0 ? Exit::kFailed : Exit::kDone);
}

}  // namespace eventhorn::client
