#include "controlplane/api/table.hpp"

#include "controlplane/resources/access.hpp"

#include <nlohmann/json.hpp>

namespace sluice::controlplane {
namespace {

std::string meta_version(const std::string &version) { return "meta.k8s.io/" + version; }

json columns_of(const ResourceType &type) {
  json columns = json::array();
  for (const auto &column : type.columns)
    columns.push_back({{"name", column.name},
                       {"type", column.type},
                       {"format", column.format},
                       {"description", column.description},
                       {"priority", column.priority}});
  return columns;
}

json list_metadata(const ListResult &list) {
  json metadata = {{"resourceVersion", std::to_string(list.resourceVersion)}};
  if (!list.continueToken.empty())
    metadata["continue"] = list.continueToken;
  if (list.remaining && *list.remaining > 0)
    metadata["remainingItemCount"] = *list.remaining;
  return metadata;
}

std::string plain_list(const ResourceType &type, const ListResult &list) {
  std::size_t size = 300;
  for (const auto &item : list.items)
    size += item->bytes->size() + 1;
  std::string text;
  text.reserve(size);
  text += "{\"kind\":\"" + type.list_kind() + "\",\"apiVersion\":\"" + type.api_version() +
          "\",\"metadata\":" + list_metadata(list).dump() + ",\"items\":[";
  for (std::size_t i = 0; i < list.items.size(); ++i) {
    if (i > 0)
      text += ',';
    text += *list.items[i]->bytes;
  }
  text += "]}\n";
  return text;
}

json partial_list(const ListResult &list, const std::string &version) {
  json items = json::array();
  for (const auto &item : list.items)
    items.push_back(make_partial(item->document(), version));
  return {{"kind", "PartialObjectMetadataList"},
          {"apiVersion", meta_version(version)},
          {"metadata", list_metadata(list)},
          {"items", std::move(items)}};
}

} // namespace

json make_partial(const json &object, const std::string &version) {
  return {{"kind", "PartialObjectMetadata"},
          {"apiVersion", meta_version(version)},
          {"metadata", map(object, "metadata")}};
}

json make_table(const ResourceType &type, const std::vector<StoredPtr> &objects,
                const std::string &version, const std::string &include, SystemTime now,
                bool with_columns) {
  json rows = json::array();
  for (const auto &object : objects) {
    const json document = object->document();
    json row = {{"cells", type.cells(document, now)}};
    if (include == "Object")
      row["object"] = document;
    else if (include != "None")
      row["object"] = make_partial(document, version);
    rows.push_back(std::move(row));
  }
  return {{"kind", "Table"},
          {"apiVersion", meta_version(version)},
          {"metadata", json::object()},
          {"columnDefinitions", with_columns ? columns_of(type) : json(nullptr)},
          {"rows", std::move(rows)}};
}

std::string list_text(const ResourceType &type, const ListResult &list, const ObjectForm &form,
                      const std::string &include, SystemTime now) {
  if (form.kind == ObjectForm::Kind::plain)
    return plain_list(type, list);
  if (form.kind == ObjectForm::Kind::metadata)
    return dump(partial_list(list, form.version)) + "\n";
  json table = make_table(type, list.items, form.version, include, now);
  table["metadata"] = list_metadata(list);
  return dump(table) + "\n";
}

Bytes object_bytes(const ResourceType &type, const StoredPtr &object, const ObjectForm &form,
                   const std::string &include, SystemTime now) {
  if (form.kind == ObjectForm::Kind::plain)
    return object->bytes;
  if (form.kind == ObjectForm::Kind::metadata)
    return std::make_shared<const std::string>(
        dump(make_partial(object->document(), form.version)));
  json table = make_table(type, {object}, form.version, include, now);
  table["metadata"] = {{"resourceVersion", std::to_string(object->resourceVersion)}};
  return std::make_shared<const std::string>(dump(table) + "\n");
}

} // namespace sluice::controlplane
