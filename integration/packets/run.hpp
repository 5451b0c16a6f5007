#pragma once
// One scenario of the table as real packets.

#include "integration/packets/ask.hpp"
#include "integration/packets/flows.hpp"
#include "integration/packets/others.hpp"
#include "integration/packets/planes.hpp"

namespace sluice::integration::packets {

/// A network with a data plane in it; scenarios run in it one after the other.
class Bench {
public:
  static Result<std::unique_ptr<Bench>> create(Plane plane);
  ~Bench();
  Bench(const Bench &) = delete;
  Bench &operator=(const Bench &) = delete;

  Net &net() { return *net_; }
  Flows &flows() { return *flows_; }
  const Plane &plane() const { return plane_; }
  /// Of the data plane. A data plane that is busy is asked again.
  Result<> start(const proxy::Table &table);
  Result<> apply(Family family, const proxy::TableDelta &delta);
  Result<> remove(Family family) { return dataplanes_.at(family)->remove(); }
  /// As after a restart of the daemon: what is in the kernel stays.
  Result<> renew();
  /// A source port that no flow in this network has had for long: conntrack remembers flows, and a
  /// remembered one keeps its endpoint.
  Port fresh_port();

private:
  explicit Bench(Plane plane) : plane_(std::move(plane)) {}
  Plane plane_;
  std::unique_ptr<Net> net_;
  std::unique_ptr<Responder> responder_;
  std::unique_ptr<Flows> flows_;
  std::map<Family, std::unique_ptr<proxy::Dataplane>> dataplanes_;
  std::uint16_t port_ = 0;
};

/// What went wrong, a line each: where, what was asked, what came.
struct Outcome {
  std::vector<std::string> failures;
  std::vector<std::string> answered; ///< numbers of the cases that were asked
};

Outcome run(Bench &bench, const proxy::cases::Scenario &scenario, Family as);

} // namespace sluice::integration::packets
