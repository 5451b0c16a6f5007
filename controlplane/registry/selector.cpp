#include "controlplane/registry/selector.hpp"

#include <algorithm>

namespace sluice::controlplane {
namespace {

bool supports(const ResourceType &type, std::string_view field) {
  if (field == "metadata.name")
    return true;
  if (field == "metadata.namespace")
    return type.namespaced;
  return std::any_of(type.fieldLabels.begin(), type.fieldLabels.end(),
                     [&](const FieldLabel &label) { return label.name == field; });
}

} // namespace

ApiResult<kube::LabelMatcher> parse_label_selector(std::string_view text) {
  auto labels = kube::LabelMatcher::parse(text);
  if (!labels)
    return refuse(bad_request("unable to parse requirement: " + labels.error().what()));
  return std::move(*labels);
}

ApiResult<kube::FieldMatcher> parse_field_selector(std::string_view text,
                                                   const ResourceType &type) {
  auto fields = kube::FieldMatcher::parse(text);
  if (!fields)
    return refuse(bad_request("invalid selector: " + fields.error().what()));
  for (const auto &term : fields->terms())
    if (!supports(type, term.field))
      return refuse(bad_request("field label not supported: " + term.field));
  return std::move(*fields);
}

} // namespace sluice::controlplane
