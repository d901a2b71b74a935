// Requests that must be refused, for the parser's tests and for those of the server on real sockets
// (A7).
#pragma once

#include <string>
#include <vector>

namespace eventhorn::http::testing {

struct BadRequest {
  const char* what;
  int status;
  std::string bytes;
};

inline std::vector<BadRequest> bad_requests() {
  using namespace std::string_literals;
  const std::string get = "GET / HTTP/1.1\r\nHost: localhost\r\n";
  const std::string post = "POST / HTTP/1.1\r\nHost: localhost\r\n";
  const std::string chunked = post + "Transfer-Encoding: chunked\r\n\r\n";
  return {
      {"two Content-Lengths", 400, post + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!"},
      {"two equal Content-Lengths", 400,
       post + "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello"},
      {"a list of Content-Lengths", 400, post + "Content-Length: 5, 5\r\n\r\nhello"},
      {"Content-Length with a sign", 400, post + "Content-Length: +5\r\n\r\nhello"},
      {"Content-Length in hex", 400, post + "Content-Length: 0x5\r\n\r\nhello"},
      {"Content-Length beyond 64 bits", 400,
       post + "Content-Length: 18446744073709551621\r\n\r\nhello"},
      {"negative Content-Length", 400, post + "Content-Length: -1\r\n\r\n"},
      {"empty Content-Length", 400, post + "Content-Length:\r\n\r\n"},
      {"CL then TE", 400,
       post + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
      {"TE then CL", 400,
       post + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"},
      {"two Transfer-Encodings", 400,
       post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
      {"chunked then identity", 400,
       post + "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"},
      {"gzip then chunked", 400, post + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"},
      {"unknown Transfer-Encoding", 400, post + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"},
      {"quoted chunked", 400, post + "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n"},
      {"empty Transfer-Encoding", 400, post + "Transfer-Encoding:\r\n\r\n"},
      {"Transfer-Encoding with a vertical tab", 400,
       post + "Transfer-Encoding: \x0b"
              "chunked\r\n\r\n0\r\n\r\n"},
      {"chunked in HTTP/1.0", 400,
       "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
      {"space before the colon", 400, post + "Content-Length : 5\r\n\r\nhello"},
      {"space before the first field", 400, "GET / HTTP/1.1\r\n Host: localhost\r\n\r\n"},
      {"folded line", 400, get + "X-Tag: a\r\n b\r\n\r\n"},
      {"folded Transfer-Encoding", 400, post + "Transfer-Encoding:\r\n\tchunked\r\n\r\n0\r\n\r\n"},
      {"bare LF", 400, "GET / HTTP/1.1\nHost: localhost\n\n"},
      {"one bare LF", 400, get + "X-Tag: a\nX-Other: b\r\n\r\n"},
      {"bare CR", 400, get + "X-Tag: a\rX-Other: b\r\n\r\n"},
      {"NUL in a value", 400, get + "X-Tag: a\0b\r\n\r\n"s},
      {"control in a value", 400,
       get + "X-Tag: a\x01"
             "b\r\n\r\n"},
      {"DEL in a value", 400,
       get + "X-Tag: a\x7f"
             "b\r\n\r\n"},
      {"NUL in a name", 400, get + "X\0Tag: a\r\n\r\n"s},
      {"empty name", 400, get + ": a\r\n\r\n"},
      {"no colon", 400, get + "nonsense\r\n\r\n"},
      {"no Host", 400, "GET / HTTP/1.1\r\n\r\n"},
      {"two Hosts", 400, get + "Host: localhost\r\n\r\n"},
      {"absolute target", 400, "GET ftp://localhost/ HTTP/1.1\r\nHost: localhost\r\n\r\n"},
      {"no host in the target", 400, "GET http:///a HTTP/1.1\r\nHost: localhost\r\n\r\n"},
      {"authority target", 400, "CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n"},
      {"asterisk target", 400, "OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n"},
      {"control in the target", 400, "GET /\x01 HTTP/1.1\r\nHost: localhost\r\n\r\n"},
      {"two spaces", 400, "GET  / HTTP/1.1\r\nHost: localhost\r\n\r\n"},
      {"space in the target", 400, "GET /a b HTTP/1.1\r\nHost: localhost\r\n\r\n"},
      {"HTTP/0.9", 400, "GET /\r\n\r\n"},
      {"HTTP/2 preface", 400, "PRI * HTTP/2.0\r\n\r\n"},
      {"HTTP/1.2", 400, "GET / HTTP/1.2\r\nHost: localhost\r\n\r\n"},
      {"not HTTP", 400, "\x16\x03\x01\x02\r\n\r\n"},
      {"unknown expectation", 417, post + "Expect: 200-ok\r\nContent-Length: 5\r\n\r\nhello"},
      {"chunk size is no number", 400, chunked + "x\r\nhello\r\n0\r\n\r\n"},
      {"chunk size with prefix", 400, chunked + "0x5\r\nhello\r\n0\r\n\r\n"},
      {"chunk size with sign", 400, chunked + "+5\r\nhello\r\n0\r\n\r\n"},
      {"chunk size after a space", 400, chunked + " 5\r\nhello\r\n0\r\n\r\n"},
      {"chunk size beyond 64 bits", 400, chunked + "10000000000000005\r\nhello\r\n0\r\n\r\n"},
      {"chunk shorter than said", 400, chunked + "6\r\nhello\r\n0\r\n\r\n"},
      {"chunk longer than said", 400, chunked + "4\r\nhello\r\n0\r\n\r\n"},
      {"chunk line ends with LF", 400, chunked + "5\nhello\r\n0\r\n\r\n"},
      {"chunk line with bare CR", 400, chunked + "5\rhello\r\n0\r\n\r\n"},
      {"chunk extension is nonsense", 400, chunked + "5 nonsense\r\nhello\r\n0\r\n\r\n"},
      {"bare LF in a chunk extension", 400, chunked + "5;a=\"\nb\"\r\nhello\r\n0\r\n\r\n"},
      {"CR LF in a chunk extension", 400,
       chunked + "5;a=\"\r\nhello\r\n0\r\n\r\n\"\r\nhello\r\n0\r\n\r\n"},
      {"trailer is nonsense", 400, chunked + "5\r\nhello\r\n0\r\nnonsense\r\n\r\n"},
      {"Content-Length in the trailer", 400,
       chunked + "5\r\nhello\r\n0\r\nContent-Length: 50\r\n\r\n"},
  };
}

}  // namespace eventhorn::http::testing
