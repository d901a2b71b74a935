#include <boost/beast/src.hpp>

#include <ostream>  // beast/http/verb.hpp needs it with separate compilation (Boost 1.81)
