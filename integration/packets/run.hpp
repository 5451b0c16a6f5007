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
  static Result<std::unique_ptr<Bench>> create(Plane plane, Sctp sctp = Sctp::by_hand);
  ~Bench();
  Bench(const Bench &) = delete;
  Bench &operator=(const Bench &) = delete;

  Net &net() { return *net_; }
  Flows &flows() { return *flows_; }
  const Plane &plane() const { return plane_; }
  Sctp sctp() const { return sctp_; }
  /// Of the data plane. A data plane that is busy is asked again.
  Result<> start(const proxy::Table &table);
  Result<> apply(Family family, const proxy::TableDelta &delta);
  Result<> remove(Family family);
  /// Another data plane takes this one's place, which leaves nothing behind.
  Result<> replace(Plane plane);
  /// Another data plane comes beside this one, and is the one to be started and changed from now
  /// on.
  Result<> join(Plane plane);
  /// The one from before takes no new connection any more. True: nothing of it is left.
  Result<bool> leave();
  /// As after a restart of the daemon: what is in the kernel stays.
  Result<> renew();
  /// A source port that no flow in this network has had for long: conntrack remembers flows, and a
  /// remembered one keeps its endpoint.
  Port fresh_port();

private:
  Bench(Plane plane, Sctp sctp) : plane_(std::move(plane)), sctp_(sctp) {}
  Plane plane_;
  Sctp sctp_;
  std::unique_ptr<Net> net_;
  std::unique_ptr<Responder> responder_;
  std::unique_ptr<Flows> flows_;
  std::map<Family, std::unique_ptr<proxy::Dataplane>> dataplanes_, leaving_;
  std::uint16_t port_ = 0;
};

/// The objects of one scenario, and the data plane of a bench that follows them.
class Stage {
public:
  /// `bench` outlives it. The world is as `fixture` makes it.
  Stage(Bench &bench, Family as)
      : bench_(bench), world_(as), others_(bench.net().node(), as, bench.plane().flavour()) {}
  ~Stage();
  Stage(const Stage &) = delete;
  Stage &operator=(const Stage &) = delete;

  Result<> begin();
  /// Takes back what statements gave to n1, for the next stage on this bench. The destructor does
  /// it too, but cannot say what went wrong.
  Result<> end();
  /// Any statement of the table.
  Result<> obey(const proxy::cases::Line &line);
  /// Brings the kernel up to the world: at first by a start, then change by change.
  Result<> sync();

  Bench &bench() { return bench_; }
  proxy::cases::World &world() { return world_; }
  /// For who asks every question with a port of its own: no old flow is in the way.
  void leave_flows() { leave_flows_ = true; }

private:
  Result<> plane(const std::string &what);
  Bench &bench_;
  proxy::cases::World world_;
  Others others_;
  bool started_ = false, removed_ = false, leave_flows_ = false;
};

/// What went wrong, a line each: where, what was asked, what came.
struct Outcome {
  std::vector<std::string> failures;
  std::vector<std::string> answered; ///< numbers of the cases that were asked
};

Outcome run(Bench &bench, const proxy::cases::Scenario &scenario, Family as);

} // namespace sluice::integration::packets
