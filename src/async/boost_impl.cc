// The one compiled copy of Asio (BOOST_ASIO_SEPARATE_COMPILATION): all users of Boost in the
// project agree on it.
#include <boost/asio/impl/src.hpp>
#include <boost/asio/ssl/impl/src.hpp>
