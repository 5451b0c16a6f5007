#include "proxy/config/fields.hpp"

#include <set>
#include <yaml-cpp/yaml.h>

namespace sluice::proxy::config {
namespace {

constexpr const char *kKind = "KubeProxyConfiguration";
constexpr const char *kApiVersion = "kubeproxy.config.k8s.io/v1alpha1";

Result<std::string> scalar(const YAML::Node &node, const char *expected) {
  if (!node.IsScalar())
    return fail(Errc::invalid_input, std::string(expected) + " is expected");
  return node.Scalar();
}

/// Puts a YAML value into a slot.
struct SetNode {
  const YAML::Node &node;

  Result<> from_scalar(Slot slot, const char *expected) const {
    SLUICE_ASSIGN(const auto text, scalar(node, expected), "read");
    return set_text(slot, text);
  }
  Result<> operator()(std::string *slot) const { return from_scalar(slot, "a text"); }
  Result<> operator()(bool *slot) const { return from_scalar(slot, "true or false"); }
  Result<> operator()(std::int32_t *slot) const { return from_scalar(slot, "a whole number"); }
  Result<> operator()(float *slot) const { return from_scalar(slot, "a number"); }

  Result<> operator()(nanoseconds *slot) const {
    // logging.flushFrequency may be a plain number of nanoseconds.
    std::int64_t count = 0;
    if (node.IsScalar() && YAML::convert<std::int64_t>::decode(node, count) && count >= 0) {
      *slot = nanoseconds(count);
      return {};
    }
    return from_scalar(slot, "a duration");
  }

  Result<> operator()(Texts *slot) const {
    if (!node.IsSequence())
      return fail(Errc::invalid_input, "a list is expected");
    slot->clear();
    for (const auto &item : node) {
      SLUICE_ASSIGN(auto text, scalar(item, "a list of texts"), "read");
      slot->push_back(std::move(text));
    }
    return {};
  }

  Result<> operator()(FeatureGates *slot) const {
    if (!node.IsMap())
      return fail(Errc::invalid_input, "an object of gates is expected");
    for (const auto &entry : node) {
      const auto name = entry.first.Scalar();
      SLUICE_ASSIGN(const auto text, scalar(entry.second, "true or false"), "\"" + name + "\"");
      SLUICE_TRY(set_text(&(*slot)[name], text), "\"" + name + "\"");
    }
    return {};
  }

  Result<> operator()(VModule *slot) const {
    if (!node.IsSequence())
      return fail(Errc::invalid_input, "a list is expected");
    for (const auto &item : node) {
      std::int32_t level = 0;
      if (!item.IsMap() || !item["filePattern"] || !item["filePattern"].IsScalar() ||
          !item["verbosity"] || !YAML::convert<std::int32_t>::decode(item["verbosity"], level))
        return fail(Errc::invalid_input, "filePattern and verbosity are expected");
      slot->emplace_back(item["filePattern"].Scalar(), level);
    }
    return {};
  }
};

bool is_section(const std::string &path) {
  for (const auto &field : fields())
    if (field.path.size() > path.size() && field.path.substr(0, path.size()) == path &&
        field.path[path.size()] == '.')
      return true;
  return false;
}

class Reader {
public:
  Result<> read_section(const YAML::Node &section, const std::string &prefix) {
    std::set<std::string> seen;
    for (const auto &entry : section) {
      const auto path = prefix + entry.first.Scalar();
      if (!seen.insert(path).second)
        out_.warnings.push_back("field \"" + path + "\" stands twice; the last one counts");
      SLUICE_TRY(read_entry(path, entry.second), "configuration");
    }
    return {};
  }

  Decoded take() { return std::move(out_); }

private:
  Result<> read_entry(const std::string &path, const YAML::Node &value) {
    const auto *field = find_field(path);
    if (!field && !is_section(path)) {
      out_.warnings.push_back("unknown field \"" + path + "\"");
      return {};
    }
    if (value.IsNull())
      return {};
    if (field)
      return read_field(*field, value);
    if (!value.IsMap())
      return fail(Errc::invalid_input, "\"" + path + "\": an object is expected");
    return read_section(value, path + ".");
  }

  Result<> read_field(const Field &field, const YAML::Node &value) {
    const auto slot = field.slot(out_.config);
    KubeProxyConfiguration fresh;
    // Empty texts are the zero value of whatever the field is.
    if (value.IsScalar() && value.Scalar().empty() && !field.zero_counts)
      return {};
    SLUICE_TRY(std::visit(SetNode{value}, slot), "\"" + std::string(field.path) + "\"");
    if (!field.zero_counts && is_zero(slot))
      copy(slot, field.slot(fresh));
    return {};
  }

  Decoded out_;
};

Result<> check_head(YAML::Node &document) {
  if (!document.IsMap())
    return fail(Errc::invalid_input, std::string("an object of kind ") + kKind + " is expected");
  const auto word = [&](const char *key) {
    return document[key] && document[key].IsScalar() ? document[key].Scalar() : std::string();
  };
  if (word("kind") != kKind || word("apiVersion") != kApiVersion)
    return fail(Errc::invalid_input, std::string("kind ") + kKind + " of " + kApiVersion +
                                         " is expected, not kind \"" + word("kind") + "\" of \"" +
                                         word("apiVersion") + "\"");
  document.remove("kind");
  document.remove("apiVersion");
  return {};
}

} // namespace

Result<Decoded> read(const std::string &text) {
  try {
    auto documents = YAML::LoadAll(text);
    if (documents.empty())
      return fail(Errc::invalid_input, "the configuration is empty");
    SLUICE_TRY(check_head(documents.front()), "configuration");
    Reader reader;
    SLUICE_TRY(reader.read_section(documents.front(), ""), "configuration");
    auto decoded = reader.take();
    for (std::size_t i = 1; i < documents.size(); ++i)
      if (!documents[i].IsNull())
        return fail(Errc::invalid_input, "the file holds more than one document");
    return decoded;
  } catch (const YAML::Exception &error) {
    return fail(Errc::invalid_input, std::string("no valid YAML: ") + error.what());
  }
}

} // namespace sluice::proxy::config
