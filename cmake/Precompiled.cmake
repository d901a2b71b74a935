# Headers of the standard library and of other libraries, compiled once for each preset. They were half of the time of every
# file (docs/BENCHMARKS.md). None of ours is among them, so that an edit never compiles them again. A file still
# includes what it uses: `make lint` and the TSan build have no precompiled headers.
#
# ccache takes the headers from the dependencies of each object (CCACHE_DEPEND), and the .sum for what else a precompiled
# header is made of, so that work trees may share their objects. The precompiled headers themselves are not cached,
# because they name files of their build folder; nor are they named a second time by a path, as CMake would.
if(CMAKE_CXX_COMPILER_LAUNCHER STREQUAL "ccache")
  set(CMAKE_CXX_COMPILER_LAUNCHER env CCACHE_DEPEND=true CCACHE_PCH_EXTSUM=true
    CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime ccache)
endif()
set(CMAKE_CXX_COMPILE_OPTIONS_USE_PCH -Xclang -include-pch -Xclang <PCH_FILE>)

# add_precompiled(name HEADERS <a> <b> DEPS lib): precompiled_name, and precompiled_name_test with GoogleTest beside them
function(add_precompiled name)
  cmake_parse_arguments(P "" "" "HEADERS;DEPS" ${ARGN})
  add_one_precompiled(precompiled_${name} "${P_HEADERS}" "${P_DEPS}")
  if(BUILD_TESTING)
    add_one_precompiled(precompiled_${name}_test "${P_HEADERS};<gmock/gmock.h>;<gtest/gtest.h>" "${P_DEPS};GTest::gmock")
  endif()
endfunction()

function(add_one_precompiled name headers deps)
  add_library(${name} OBJECT EXCLUDE_FROM_ALL ${PROJECT_SOURCE_DIR}/cmake/empty.cc)
  target_link_libraries(${name} PRIVATE project_options ${deps})
  target_compile_options(${name} PRIVATE "SHELL:-Xclang -fno-pch-timestamp")
  target_precompile_headers(${name} PRIVATE ${headers})
  set_target_properties(${name} PROPERTIES CXX_COMPILER_LAUNCHER "")
  string(SHA256 sum "${headers}")
  file(WRITE ${CMAKE_CURRENT_BINARY_DIR}/CMakeFiles/${name}.dir/cmake_pch.hxx.pch.sum ${sum})
endfunction()

function(use_precompiled target name)
  target_compile_options(${target} PRIVATE "SHELL:-Xclang -fno-pch-timestamp")
  target_precompile_headers(${target} REUSE_FROM precompiled_${name})
endfunction()

set(PLAIN_HEADERS
  <algorithm> <array> <atomic> <cerrno> <charconv> <chrono> <cmath> <condition_variable> <cstddef> <cstdint> <cstdio>
  <cstdlib> <cstring> <deque> <filesystem> <fstream> <functional> <future> <limits> <list> <map> <memory> <mutex>
  <optional> <random> <set> <span> <string> <string_view> <system_error> <thread> <tuple> <unordered_map>
  <unordered_set> <utility> <variant> <vector>
  <fmt/format.h> <tl/expected.hpp>)
set(ASIO_HEADERS
  <boost/asio/as_tuple.hpp> <boost/asio/awaitable.hpp> <boost/asio/co_spawn.hpp> <boost/asio/io_context.hpp>
  <boost/asio/ip/tcp.hpp> <boost/asio/post.hpp> <boost/asio/steady_timer.hpp> <boost/asio/use_awaitable.hpp>
  <boost/asio/use_future.hpp>)
set(ROCKSDB_HEADERS <rocksdb/db.h> <rocksdb/env.h> <rocksdb/write_batch.h>)

# Asio has objects that each file defines, so only modules that link it may have its headers.
add_precompiled(plain HEADERS ${PLAIN_HEADERS} DEPS fmt::fmt)
add_precompiled(asio HEADERS ${PLAIN_HEADERS} ${ASIO_HEADERS} DEPS fmt::fmt boost_impl)
add_precompiled(rocksdb
  HEADERS ${PLAIN_HEADERS} ${ASIO_HEADERS} ${ROCKSDB_HEADERS} DEPS fmt::fmt boost_impl RocksDB::rocksdb-shared)
