// One connection's life. Internal to http/.
#pragma once

#include "async/task.h"
#include "http/server_core.h"

#include <boost/asio/ip/tcp.hpp>

#include <memory>

namespace eventhorn::http {

/// Serves a connection to its end. `tls` null: plain. `overloaded`: answers it 503 and closes.
Task<void> serve(ServerCore& core, asio::ip::tcp::socket socket, std::shared_ptr<ssl_ctx_st> tls,
                 bool overloaded);

}  // namespace eventhorn::http
