#pragma once
// The words of statements and answers.

#include "kube/objects.hpp"
#include "proxy/model/node_info.hpp"

#include <functional>

namespace sluice::proxy::cases {

/// Parts between separators; an empty text and "-" have none. Between commas, "x[1-3]" is three
/// parts.
std::vector<std::string> split(const std::string &text, char separator);

/// "key=value" words from `first` on.
Result<std::vector<std::pair<std::string, std::string>>>
settings_of(const std::vector<std::string> &words, std::size_t first);

/// Fields of a Service that hold no address.
Result<> set_plain_field(kube::Service &service, const std::string &key, const std::string &value);
Result<> set_slice_field(kube::EndpointSlice &slice, const std::string &key,
                         const std::string &value);
using ReadCidrs = std::function<std::vector<Cidr>(const std::string &)>;
Result<> set_plain_node_field(kube::Node &node, NodeOptions &options, const std::string &key,
                              const std::string &value, const ReadCidrs &cidrs);
/// "/st@a+b%n1".
Result<> read_endpoint_marks(const std::string &marks, kube::SliceEndpoint &endpoint);

/// An endpoint that answered, and whether it saw an address of the node.
struct Reached {
  std::string name;
  bool masqueraded = false;
  friend auto operator<=>(const Reached &, const Reached &) = default;
};
/// "{L,R} nm", "{L,R} M" or "{L M,R nm}"; sorted by name.
std::string answer_text(std::vector<Reached> reached);
/// The opposite; nothing for answers of another kind.
std::optional<std::vector<Reached>> reached_of(const std::string &answer);

} // namespace sluice::proxy::cases
