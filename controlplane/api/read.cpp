#include "controlplane/api/call.hpp"
#include "controlplane/api/table.hpp"

#include <charconv>
#include <nlohmann/json.hpp>

namespace sluice::controlplane {
namespace {

ApiError no_such_form() {
  return not_acceptable("only the following media types are accepted: application/json, "
                        "application/json;as=Table;v=v1;g=meta.k8s.io");
}

ApiResult<std::uint64_t> limit_of(const Call &call) {
  const auto &text = call.parameter("limit");
  std::uint64_t limit = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), limit);
  if (!text.empty() && (error != std::errc() || end != text.data() + text.size()))
    return refuse(bad_request("invalid limit \"" + text + "\": it must be a number"));
  return limit;
}

} // namespace

ApiResult<Selection> selection_of(const Call &call) {
  auto labels = parse_label_selector(call.parameter("labelSelector"));
  if (!labels)
    return refuse(labels.error());
  auto fields = parse_field_selector(call.parameter("fieldSelector"), *call.route.type);
  if (!fields)
    return refuse(fields.error());
  return Selection{call.route.namespace_, std::move(*labels), std::move(*fields)};
}

Answer answer_get(const Call &call) {
  const auto form = negotiate_object(call.request.header("accept"));
  if (!form)
    return error_answer(no_such_form());
  const auto &type = *call.route.type;
  const auto object = call.services.registry.get(type, call.key());
  if (!object)
    return error_answer(object.error());
  return bytes_answer(200, object_bytes(type, *object, *form, call.parameter("includeObject"),
                                        std::chrono::system_clock::now()));
}

Answer answer_list(const Call &call) {
  const auto form = negotiate_object(call.request.header("accept"));
  if (!form)
    return error_answer(no_such_form());
  auto selection = selection_of(call);
  if (!selection)
    return error_answer(selection.error());
  const auto limit = limit_of(call);
  if (!limit)
    return error_answer(limit.error());
  const auto &type = *call.route.type;
  const auto list = call.services.registry.list(
      type, {.selection = std::move(*selection),
             .limit = *limit,
             .continueToken = call.parameter("continue"),
             .resourceVersion = call.parameter("resourceVersion"),
             .resourceVersionMatch = call.parameter("resourceVersionMatch")});
  if (!list)
    return error_answer(list.error());
  return text_answer(200,
                     list_text(type, *list, *form, call.parameter("includeObject"),
                               std::chrono::system_clock::now()),
                     "application/json");
}

} // namespace sluice::controlplane
