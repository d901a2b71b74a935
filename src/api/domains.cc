#include "api/domains.h"

#include "base/strings.h"
#include "crypto/random.h"

#include <algorithm>

namespace eventhorn::api {

Status check_domain_name(std::string_view name) {
  if (name == "localhost") return {};
  if (name.size() > 253)
    return fail(Errc::kInvalidArgument, "domain name is longer than 253 bytes");
  if (name.find('.') == std::string_view::npos)
    return fail(Errc::kInvalidArgument, "domain name must have a dot");
  for (const auto label : split(name, '.')) {
    const bool good =
        !label.empty() && label.size() <= 63 && label.front() != '-' && label.back() != '-' &&
        std::all_of(label.begin(), label.end(), [](char c) {
          return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
        });
    if (!good)
      return fail(Errc::kInvalidArgument,
                  "domain name is not valid: labels are 1 to 63 letters, digits or hyphens");
  }
  return {};
}

NewDomain::NewDomain(const Services& services, std::string_view lower_case_name)
    : name(lower_case_name),
      id(to_hex(crypto::random_bytes(12))),
      created_at(services.clock.now()) {}

std::shared_ptr<store::Domain> NewDomain::made_at(Position at) const {
  auto made = std::make_shared<store::Domain>();
  made->uid = {at.value};
  made->name = name;
  made->id = id;
  made->created_at = created_at;
  return made;
}

Task<Result<store::DomainPtr>> create_domain(Services& services, const std::string& given,
                                             bool* existed) {
  const std::string name = to_lower(given);
  CO_TRY_STATUS(check_domain_name(name));
  const NewDomain wanted(services, name);
  auto edit = [&](const store::DomainPtr& current, Position at) -> Result<store::DomainPtr> {
    if (current) return current;
    return store::DomainPtr(wanted.made_at(at));
  };
  CO_TRY(const auto change, co_await services.appends.edit(name, edit));
  if (existed != nullptr) *existed = change.before != nullptr;
  co_return change.after;
}

Result<store::DomainPtr> find_domain(const Services& services, std::string_view name) {
  if (auto found = services.directory.find(to_lower(name))) return found;
  return fail(Errc::kNotFound, "Domain not found");
}

Result<store::DomainPtr> find_domain(const Services& services,
                                     const http::RequestContext& context) {
  return find_domain(services, context.params.at("domain"));
}

Task<Result<store::DomainPtr>> find_or_create_domain(Services& services, const std::string& name) {
  auto found = find_domain(services, name);
  if (found || !services.options.auto_create) co_return found;
  auto made = co_await create_domain(services, name, nullptr);
  co_return made;
}

}  // namespace eventhorn::api
