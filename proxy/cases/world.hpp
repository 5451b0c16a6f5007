#pragma once
// The Kubernetes objects of a scenario and the models that see them, as the statements change them.

#include "proxy/cases/case.hpp"
#include "proxy/cases/places.hpp"
#include "proxy/cases/statement.hpp"
#include "proxy/model/model.hpp"
#include "proxy/model/node_info.hpp"

namespace sluice::proxy::cases {

/// One connection that a question asks about.
struct Probe {
  std::string from, to; ///< as the table names them
  Flow flow;            ///< `protocol` 1: a ping
};

/// Not thread-safe.
class World {
public:
  /// Every scenario runs in a world of its own, made by `fixture`. `as` is the family that its IPv4
  /// addresses stand for.
  explicit World(Family as);

  /// Obeys a statement about objects or the node. Those about the host or the data plane change
  /// nothing here. The error names what is not understood.
  Result<> change(const Line &line);

  const AddressBook &book() const noexcept { return book_; }
  Model &model(Family family) { return family == Family::ipv4 ? *ipv4_ : *ipv6_; }
  /// Of the family that the scenario is about.
  Model &model() { return model(book_.family()); }
  /// The family of a question: that of the address it goes to.
  Family family_of(const std::string &question) const;
  /// "P->C", "X->LB:81", "N->C:53/UDP", "P->C/ping".
  Result<Probe> probe(const std::string &question) const;
  /// What the model answers, in the words of the table. As of its last sync.
  std::string answer(const Probe &probe);
  /// An answer of the table as `answer` words it: names for addresses, "x[1-3]" in full, sorted.
  std::string canonical(const std::string &answer) const;
  /// Addresses that `node holds=` gave to n1 beside its own.
  const std::vector<IpAddress> &held() const noexcept { return held_; }
  const std::map<kube::ObjectKey, kube::Service> &services() const noexcept { return services_; }

private:
  using Settings = std::vector<std::pair<std::string, std::string>>;
  Result<> set_service(const std::string &name, const Settings &settings);
  Result<> set_field(kube::Service &service, const std::string &key, const std::string &value);
  Result<> set_endpoints(const std::vector<std::string> &words);
  Result<> set_slice(const std::string &name, const Settings &settings);
  Result<> set_node(const Settings &settings);
  Result<> set_node_field(const std::string &key, const std::string &value);
  Result<> remove(const std::vector<std::string> &words);
  Result<kube::SliceEndpoint> endpoint_from(const std::string &word) const;
  std::vector<Reached> reached_by(const Explanation &got, const Flow &flow) const;
  std::vector<std::string> fields(const std::string &list) const;

  void tell(const kube::Service &service);
  void tell(const kube::EndpointSlice &slice);
  void tell_node();
  void make_models();

  AddressBook book_;
  kube::Node node_;
  NodeOptions options_;
  std::vector<IpAddress> held_;
  std::map<kube::ObjectKey, kube::Service> services_;
  std::map<kube::ObjectKey, kube::EndpointSlice> slices_;
  std::unique_ptr<Model> ipv4_, ipv6_;
};

/// The two families.
inline constexpr std::array kFamilies{Family::ipv4, Family::ipv6};

} // namespace sluice::proxy::cases
