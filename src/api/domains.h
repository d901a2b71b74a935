// Domains as several resources find and make them.
#pragma once

#include "api/services.h"

#include <memory>
#include <string>
#include <string_view>

namespace eventhorn::api {

/// The domain of that name, in any case. kNotFound "Domain not found" when there is none.
Result<store::DomainPtr> find_domain(const Services& services, std::string_view name);

/// That of the path parameter `domain`.
Result<store::DomainPtr> find_domain(const Services& services, const http::RequestContext& context);

/// As find_domain(), but with options.auto_create an unknown name is created, and kInvalidArgument
/// when it is not well-formed.
Task<Result<store::DomainPtr>> find_or_create_domain(Services& services, const std::string& name);

/// What a domain that is to be created will be.
struct NewDomain {
  NewDomain(const Services& services, std::string_view lower_case_name);

  /// For the edit that creates it.
  std::shared_ptr<store::Domain> made_at(Position at) const;

  std::string name;
  std::string id;
  SystemTime created_at;
};

/// Creates the domain, or returns the one that is there. kInvalidArgument for a name that is not
/// one.
Task<Result<store::DomainPtr>> create_domain(Services& services, const std::string& name,
                                             bool* existed);

/// A domain has a dot or is `localhost`: labels of 1-63 letters, digits and hyphens, 253 bytes at
/// most (RFC 1035 section 2.3.4). Takes lower case.
Status check_domain_name(std::string_view name);

}  // namespace eventhorn::api
