#pragma once
// Reading JSON as the Go decoder does, because runtimes rely on it: keys match in any case (an
// exact match is nothing special; the last one in the document wins) and null means absent. Needs
// <nlohmann/json.hpp> only in the .cpp files that look inside.

#include "cni/protocol/error.hpp"

#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::cni {

using Json = nlohmann::ordered_json;

/// Deeper documents are refused.
inline constexpr std::size_t kMaxDepth = 500;

/// The member, or nullptr if it is absent or null, or if `object` is no object.
const Json *find_member(const Json &object, std::string_view key);

/// Compact text; bytes that are no UTF-8 become U+FFFD.
std::string to_text(const Json &json);

/// A parsed document. Move-only value.
class JsonDocument {
public:
  JsonDocument();
  JsonDocument(JsonDocument &&) noexcept;
  JsonDocument &operator=(JsonDocument &&) noexcept;
  ~JsonDocument();
  /// Code 6 if the text is not exactly one JSON value, with the place of the mistake, or is nested too
  /// deep.
  static Outcome<JsonDocument> parse(std::string_view text);
  const Json &root() const noexcept { return *root_; }

private:
  explicit JsonDocument(std::unique_ptr<Json> root) noexcept;
  std::unique_ptr<Json> root_;
};

/// Reads typed members of one object. A member of another type is an error of code 7 that names the
/// key (with the path to it) and quotes the value; an absent member leaves `into` as it was.
class ObjectReader {
public:
  /// `object` must outlive the reader. `path` is "" at the top, else "ipam.".
  ObjectReader(const Json &object, std::string path) : object_(&object), path_(std::move(path)) {}

  Outcome<> read(std::string_view key, std::string &into) const;
  Outcome<> read(std::string_view key, bool &into) const;
  Outcome<> read(std::string_view key, std::vector<std::string> &into) const;
  /// An integer within [least, most].
  Outcome<std::optional<std::int64_t>> number(std::string_view key, std::int64_t least,
                                              std::int64_t most) const;
  Outcome<std::optional<ObjectReader>> object(std::string_view key) const;
  /// An array of objects; absent is empty.
  Outcome<std::vector<ObjectReader>> objects(std::string_view key) const;
  /// An array of arrays of objects; absent is empty.
  Outcome<std::vector<std::vector<ObjectReader>>> object_lists(std::string_view key) const;

  bool has(std::string_view key) const { return find_member(*object_, key) != nullptr; }
  /// The key is there, be it null.
  bool mentions(std::string_view key) const;
  const Json &json() const noexcept { return *object_; }
  const std::string &path() const noexcept { return path_; }
  /// "ipam.subnet is \"10.0.0.300/24\": <why>", code 7.
  CniError wrong(std::string_view key, const std::string &why) const;

private:
  const Json *object_;
  std::string path_;
};

} // namespace sluice::cni
