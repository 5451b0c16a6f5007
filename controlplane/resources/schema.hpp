#pragma once
// The known fields of a kind and their types, as a small document: what fieldValidation=Strict and
// the decoder's type errors are made from.

#include "controlplane/resources/resource.hpp"

#include <memory>

namespace sluice::controlplane {

/// Written as JSON: {"spec": {"ports": [{"port": "int", "name": "string"}], "selector": "map"}}.
/// Leaves: string, int, bool, intstr (number or string), quantity (number or string), time, map (of
/// strings), any. [T] is a list of T, {"*": T} a map of T, {...} an object with these fields.
/// Strings that begin with "@" name a part shared by kinds: @meta, @labelSelector,
/// @objectReference,
/// @conditions.
/// Immutable and thread-safe.
class Schema {
public:
  /// `text` is part of the program: text that does not parse aborts.
  explicit Schema(std::string_view text);

  /// Paths of members that the schema does not have: `spec.ports[0].prot`.
  std::vector<std::string> unknown_fields(const json &object) const;
  /// Members whose type is not the schema's; null is of every type.
  FieldErrors type_errors(const json &object) const;

private:
  std::shared_ptr<const json> root_;
};

/// Puts the schema's two checks into `type`: `unknown_fields`, and type errors before `validate`
/// (which then sees only documents of the right types).
void use_schema(ResourceType &type, std::string_view schema);

} // namespace sluice::controlplane
