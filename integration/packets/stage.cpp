#include "integration/packets/run.hpp"

namespace sluice::integration::packets {
namespace {

using namespace std::chrono_literals;
using proxy::cases::kFamilies;

/// Another program may hold the lock of the tables.
template <class Call> Result<> patiently(Call call) {
  const auto deadline = std::chrono::steady_clock::now() + 30s;
  auto done = call();
  while (!done && done.error().code() == Errc::busy &&
         std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(2ms);
    done = call();
  }
  return done;
}

} // namespace

Result<std::unique_ptr<Bench>> Bench::create(Plane plane, Sctp sctp) {
  std::unique_ptr<Bench> bench(new Bench(std::move(plane), sctp));
  SLUICE_ASSIGN(bench->net_, Net::create(), "prepare");
  SLUICE_ASSIGN(bench->responder_, Responder::start(*bench->net_, sctp), "prepare");
  SLUICE_ASSIGN(bench->flows_, Flows::create(*bench->net_), "prepare");
  SLUICE_TRY(bench->renew(), "prepare");
  return bench;
}

Bench::~Bench() = default;

Result<> Bench::renew() {
  for (const auto family : kFamilies) {
    SLUICE_ASSIGN(dataplanes_[family], plane_.make(family, net_->node()), plane_.name);
  }
  return {};
}

Result<> Bench::remove(Family family) {
  return patiently([&] { return dataplanes_.at(family)->remove(); });
}

Result<> Bench::replace(Plane plane) {
  for (const auto family : kFamilies)
    SLUICE_TRY(remove(family), plane_.name);
  plane_ = std::move(plane);
  return renew();
}

Result<> Bench::join(Plane plane) {
  leaving_ = std::exchange(dataplanes_, {});
  plane_ = std::move(plane);
  return renew();
}

Result<bool> Bench::leave() {
  bool gone = true;
  for (const auto &[family, dataplane] : leaving_)
    SLUICE_TRY(patiently([&, &leaving = *dataplane]() -> Result<> {
                 SLUICE_ASSIGN(const bool nothing_left, leaving.drain(), "leave");
                 gone = gone && nothing_left;
                 return {};
               }),
               name_of(family));
  return gone;
}

Result<> Bench::start(const proxy::Table &table) {
  return patiently([&] { return dataplanes_.at(table.family)->start(table); });
}

Result<> Bench::apply(Family family, const proxy::TableDelta &delta) {
  auto left = delta; // what a busy data plane was given it keeps
  return patiently([&] { return dataplanes_.at(family)->apply(std::exchange(left, {})); });
}

Port Bench::fresh_port() {
  constexpr std::uint16_t kFirst = 10000, kCount = 20000;
  port_ = static_cast<std::uint16_t>((port_ + 1) % kCount);
  return Port(static_cast<std::uint16_t>(kFirst + port_));
}

Stage::~Stage() { (void)end(); }

Result<> Stage::end() {
  SLUICE_TRY(patiently([&] { return others_.take_back(); }), "end");
  SLUICE_TRY(bench_.net().hold({}), "end");
  return {};
}

Result<> Stage::begin() {
  for (const auto &line : proxy::cases::fixture())
    SLUICE_TRY(obey(line), "begin");
  return {};
}

Result<> Stage::obey(const proxy::cases::Line &line) {
  SLUICE_TRY(world_.change(line), line.text);
  if (line.verb == "host")
    return patiently([&] { return others_.add(line.words, world_); });
  if (line.verb == "node")
    return bench_.net().hold(world_.held());
  if (line.verb == "plane") {
    SLUICE_TRY(sync(), line.text);
    return plane(line.words.at(0));
  }
  return {};
}

Result<> Stage::plane(const std::string &what) {
  if (what == "restart")
    SLUICE_TRY(bench_.renew(), "plane restart");
  removed_ = what == "remove";
  for (const auto family : kFamilies)
    if (removed_)
      SLUICE_TRY(bench_.remove(family), "plane remove");
    else
      SLUICE_TRY(bench_.start(world_.model(family).table()), "plane " + what);
  return {};
}

Result<> Stage::sync() {
  if (removed_)
    return {};
  for (const auto family : kFamilies) {
    auto &model = world_.model(family);
    const auto change = model.sync();
    if (started_ && change.delta.empty() && change.services.empty())
      continue;
    if (!started_)
      SLUICE_TRY(bench_.start(model.table()), "sync");
    else if (!change.delta.empty())
      SLUICE_TRY(bench_.apply(family, change.delta), "sync");
    if (!leave_flows_)
      SLUICE_TRY(bench_.flows().after_sync(model, change.services, !started_), "sync");
  }
  started_ = true;
  return {};
}

} // namespace sluice::integration::packets
