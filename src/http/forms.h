// Form bodies and query strings, as the clients of Mailgun's API really send them (spec: Mailgun
// SDKs): URL-encoded or multipart, boundary quoted or not, parameters in any order, `key[]` or
// `key[0]` for lists, an empty list of parts. Pure values.
#pragma once

#include "base/result.h"

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace eventhorn::http {

inline constexpr size_t kMaxFormFields = 1000;
inline constexpr size_t kMaxFieldNameBytes = 256;
inline constexpr size_t kMaxPartHeaderBytes = 8192;

struct FormField {
  std::string name;
  /// Any bytes.
  std::string value;
  /// Of an uploaded file, without control characters; may be empty.
  std::optional<std::string> filename{};
  /// Of a part, as sent, without control characters; empty when not given.
  std::string content_type{};
};

/// The name of the list that a field belongs to: "url" for "url[]" and for "url[0]", which PHP
/// sends; other names as they are.
std::string_view list_name(std::string_view name);

class Form {
 public:
  Form() = default;

  explicit Form(std::vector<FormField> fields) : fields_(std::move(fields)) {}

  /// In the order sent.
  const std::vector<FormField>& fields() const { return fields_; }

  /// The first value of `name` or of a list of that name; nullopt when there is none. Views are
  /// valid as long as the form.
  std::optional<std::string_view> first(std::string_view name) const;
  /// All values of `name` and of a list of that name, in the order sent.
  std::vector<std::string_view> all(std::string_view name) const;

 private:
  std::vector<FormField> fields_;
};

/// The media type of a Content-Type header, in lower case and without parameters.
std::string media_type(std::string_view content_type);

/// What a Content-Type header says about a body.
enum class FormType { kNone, kUrlEncoded, kMultipart, kOther };

/// kNone for an empty header; parameters and case are ignored. api/ answers 415 for kOther with a
/// body.
FormType form_type(std::string_view content_type);

/// The form in a body of that Content-Type. An empty body is an empty form, whatever the type says.
/// kInvalidArgument when the type is missing or no form, or the body is malformed; the message
/// names what is wrong: the boundary, the closing delimiter, or which part and field. kTooLarge
/// over one of the limits above. The size of the whole is the caller's to limit: values are copied,
/// so the form takes about as much memory as the body.
Result<Form> parse_form(std::string_view content_type, std::string_view body);

/// The form in a query string (without '?') or URL-encoded body. Empty pieces between '&' are
/// skipped, a piece without '=' has an empty value, '+' is a space. kInvalidArgument for a broken
/// escape, kTooLarge as above.
Result<Form> parse_query(std::string_view query);

}  // namespace eventhorn::http
