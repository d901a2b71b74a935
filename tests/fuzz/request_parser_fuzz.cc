// RequestParser on any bytes: never crashes, stays within its limits, and reads the same requests
// whether the bytes come at once or one by one.
#include "base/check.h"
#include "http/request_parser.h"

#include <algorithm>
#include <string>

namespace {

using eventhorn::http::RequestParser;
using Step = RequestParser::Step;

constexpr size_t kMaxBody = 1000;
constexpr size_t kFirstRoom = 16;

struct Outcome {
  std::string requests;  // a line each
  std::string end;
};

Outcome read_all(std::string_view bytes, size_t piece) {
  RequestParser parser(500);
  Outcome out;
  size_t begin = 0;
  size_t end = 0;
  size_t room = kFirstRoom;
  bool in_body = false;
  for (;;) {
    size_t used = 0;
    const auto in = bytes.substr(begin, end - begin);
    auto step = in_body ? parser.read_body(in, used) : parser.read_head(in, used);
    CHECK(used <= in.size());
    CHECK(parser.request().body.size() <= room);
    begin += used;
    if (step == Step::kReady && !in_body) {
      step = parser.start_body({kMaxBody, kMaxBody});
      room = kFirstRoom;
      parser.make_room(room);
    }
    if (step == Step::kFull) {
      CHECK(room < kMaxBody);
      room = std::min(2 * room, kMaxBody);
      parser.make_room(room);
      continue;
    }
    if (step == Step::kRefused) {
      out.end = "refused";
      return out;
    }
    if (step == Step::kMore) {
      if (end == bytes.size()) {
        out.end = in_body ? "in body" : "in head";
        return out;
      }
      end = std::min(end + piece, bytes.size());
      continue;
    }
    in_body = parser.has_body();
    if (in_body) continue;
    out.requests += parser.request().method + " " + parser.request().target + " " +
                    parser.request().body + "\n";
    parser.reset();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto slow = read_all(bytes, 1);
  const auto fast = read_all(bytes, size);
  // The limit on chunk headers and trailers holds only for what comes in pieces.
  const bool same = slow.requests == fast.requests;
  CHECK(same || (slow.end == "refused" && fast.requests.starts_with(slow.requests)));
  // Behind chunk data the parser may see an error that, coming alone, is too short to be looked at.
  CHECK(!same || slow.end == fast.end || slow.end == "refused" ||
        (slow.end == "in body" && fast.end == "refused"));
  return 0;
}
