#include "proxy/ipvs/dataplane.hpp"

#include "proxy/ipvs/actual.hpp"
#include "proxy/model/tracer.hpp"

namespace sluice::proxy::ipvs {
namespace {

using namespace kernel::nft;
using kernel::ipvs::Ipvs;
using kernel::ipvs::Op;

constexpr auto kSchedulers =
    "rr, wrr, lc, wlc, lblc, lblcr, dh, sh, sed, nq, fo, ovf, mh and, where it is new, twos";

class IpvsDataplane final : public Dataplane {
public:
  IpvsDataplane(Family family, std::unique_ptr<Nft> nft, std::unique_ptr<Ipvs> ipvs,
                std::unique_ptr<Environment> environment, const Clock &clock, Options options)
      : family_(family), nft_(std::move(nft)), ipvs_(std::move(ipvs)),
        environment_(std::move(environment)), clock_(clock),
        options_(std::move(options)), table_{table_family(family), options_.table} {}

  Result<> start(const Table &table) override {
    const auto before = std::exchange(mirror_, nullptr);
    SLUICE_TRY(prepare(), "start ipvs");
    SLUICE_ASSIGN(const auto actual, read_table(*nft_, family_, table_), "start ipvs");
    const auto completed_actual = before ? std::optional(completed(actual, *before)) : std::nullopt;
    const auto &known = completed_actual ? *completed_actual : actual;
    SLUICE_ASSIGN(const auto found, read_servers(*ipvs_, family_, known.of(kServers)),
                  "start ipvs");
    auto mirror = std::make_unique<Mirror>(family_, options_, remembered(family_, known, found));
    for (const auto &[mark, server] : found.ours)
      mirror->servers().found(mark, server);
    mirror->load(table);
    mirror->contents().forget_changes();
    SLUICE_TRY(bring_in(actual, *mirror, table.node), "start ipvs");
    mirror_ = std::move(mirror);
    return reap();
  }

  Result<> apply(const TableDelta &delta) override {
    if (!mirror_)
      return fail(Errc::invalid_input, "apply: start the data plane first");
    mirror_->change(delta);
    Batch change(table_), after(table_);
    mirror_->contents().take_changes(change, after);
    if (delta.node)
      rewrite_rules(*delta.node, change);
    const auto servers = mirror_->servers().plan(clock_.now());
    if (auto done = commit(servers, change, after); !done) {
      mirror_.reset(); // it is ahead of the kernel
      return fail(std::move(done.error()).in("apply"));
    }
    return {};
  }

  Result<Drift> verify(const Table &table) override {
    if (!mirror_)
      return Drift{{"the data plane was not started"}};
    SLUICE_ASSIGN(auto differences, environment_->differences(), "verify ipvs");
    Drift drift{std::move(differences)};
    SLUICE_ASSIGN(const auto actual, read_table(*nft_, family_, table_), "verify ipvs");
    if (!actual.adoptable()) {
      drift.differences.push_back("table " + table_.str() + ": " +
                                  (actual.exists ? actual.why_not : "it is missing"));
      return drift;
    }
    const auto plan = plan_table(actual, table_, family_, *mirror_, table.node, options_);
    Batch record(table_);
    plan_record(actual.of(kServers), mirror_->servers(), record);
    for (const auto *batch : std::array<const Batch *, 3>{&plan.change, &plan.after, &record})
      tell(*batch, drift);
    SLUICE_ASSIGN(const auto found, read_servers(*ipvs_, family_, actual.of(kServers)),
                  "verify ipvs");
    compare(found, drift);
    if (drift.empty())
      SLUICE_TRY(reap(), "verify ipvs");
    return drift;
  }

  Result<> remove() override {
    mirror_.reset();
    SLUICE_ASSIGN(const auto actual, read_table(*nft_, family_, table_), "remove ipvs");
    SLUICE_ASSIGN(const auto found, read_servers(*ipvs_, family_, actual.of(kServers)),
                  "remove ipvs");
    std::vector<Op> ops;
    for (const auto &[mark, server] : found.ours)
      ops.emplace_back(kernel::ipvs::RemoveService{server.service.id});
    SLUICE_TRY(clean_up(ops), "remove ipvs");
    SLUICE_TRY(environment_->remove(), "remove ipvs");
    if (actual.exists) // last: it is what tells that there is something of ours
      SLUICE_TRY(nft_->commit(Batch(table_).destroy_table()), "remove ipvs");
    return {};
  }

  /// Asks the kernel alone, so that it goes on where an earlier run ended.
  Result<bool> drain() override {
    mirror_.reset();
    SLUICE_ASSIGN(const auto actual, read_table(*nft_, family_, table_), "drain ipvs");
    if (actual.adoptable()) {
      SLUICE_TRY(nft_->commit(plan_farewell(actual, table_)), "drain ipvs");
      SLUICE_ASSIGN(const bool over, drain_servers(actual), "drain ipvs");
      if (!over)
        return false;
    }
    SLUICE_TRY(remove(), "drain ipvs");
    return true;
  }

  std::vector<DrainingEndpoint> draining() const override {
    return mirror_ ? mirror_->servers().draining() : std::vector<DrainingEndpoint>{};
  }

  Result<Explanation> explain(const Flow &flow) override {
    if (!mirror_)
      return fail(Errc::invalid_input, "explain: start the data plane first");
    return trace(mirror_->table(), flow);
  }

private:
  Result<> prepare() {
    SLUICE_TRY(environment_->prepare(), "prepare");
    SLUICE_TRY(ipvs_->set_timeouts(options_.timeouts), "prepare");
    return try_scheduler(*ipvs_, family_, options_);
  }

  /// With what this process knows beside, should somebody have flushed the table: whose the virtual
  /// services are, and which frontend has which.
  static ActualTable completed(ActualTable actual, const Mirror &before) {
    for (const auto &[mark, server] : before.servers().actual())
      actual.elements[kServers].try_emplace(
          number(mark), Element{.key = number(mark),
                                .data = number(static_cast<std::uint32_t>(server.protocol))});
    auto elements = before.contents().elements();
    for (const auto *set : {kFrontends, kPinned})
      actual.elements[set].merge(elements[set]);
    return actual;
  }

  /// Services before the elements that lead to them, their record before both.
  Result<> bring_in(const ActualTable &actual, Mirror &mirror, const NodeInfo &node) {
    const auto servers = mirror.servers().plan(clock_.now());
    const auto plan = plan_table(actual, table_, family_, mirror, node, options_);
    for (const auto &batch : plan.first)
      SLUICE_TRY(nft_->commit(batch), "load");
    // A record of another shape is replaced with the table.
    if (!actual.exists) {
      std::map<Mark, Protocol> all;
      for (const auto &[mark, server] : mirror.servers().actual())
        all.emplace(mark, server.protocol);
      SLUICE_TRY(record(all), "load");
    } else if (actual.elements.count(kServers) != 0) {
      SLUICE_TRY(record(servers.created), "load");
    }
    SLUICE_TRY(make(servers.before), "load");
    SLUICE_TRY(nft_->commit(plan.change), "load");
    SLUICE_TRY(clean_up(servers.after), "load");
    SLUICE_TRY(tidy(plan.after), "load");
    if (!actual.exists || !actual.adoptable())
      return {};
    Batch forget(table_);
    plan_record(actual.of(kServers), mirror.servers(), forget);
    return tidy(forget);
  }

  Result<> commit(const Servers::Plan &servers, const Batch &change, const Batch &after) {
    SLUICE_TRY(record(servers.created), "change");
    SLUICE_TRY(make(servers.before), "change");
    SLUICE_TRY(nft_->commit(change), "change");
    SLUICE_TRY(clean_up(servers.after), "change");
    SLUICE_TRY(tidy(after), "change");
    return forget(servers.removed);
  }

  Result<> record(const std::map<Mark, Protocol> &created) {
    if (created.empty())
      return {};
    Batch batch(table_);
    for (const auto &[mark, protocol] : created)
      batch.add(kServers,
                {.key = number(mark), .data = number(static_cast<std::uint32_t>(protocol))});
    return nft_->commit(batch);
  }

  Result<> forget(const std::vector<Mark> &removed) {
    Batch batch(table_);
    for (const auto mark : removed)
      batch.remove(kServers, number(mark));
    SLUICE_TRY(nft_->commit(batch), "clean up");
    for (const auto mark : removed)
      mirror_->freed(mark);
    return {};
  }

  Result<> make(const std::vector<Op> &ops) {
    SLUICE_ASSIGN(const auto refused, ipvs_->apply_each(ops), "change IPVS");
    for (const auto &refusal : refused)
      if (refusal.error.code() != Errc::already_exists)
        return fail(Error(refusal.error));
    return {};
  }

  /// What is gone already is no failure.
  Result<> clean_up(const std::vector<Op> &ops) {
    SLUICE_ASSIGN(const auto refused, ipvs_->apply_each(ops), "change IPVS");
    for (const auto &refusal : refused)
      if (refusal.error.code() != Errc::not_found)
        return fail(Error(refusal.error));
    return {};
  }

  /// Kernels before 6.2 may hold a chain busy for an instant; the next start removes it.
  Result<> tidy(const Batch &after) {
    auto done = nft_->commit(after);
    if (!done && done.error().code() != Errc::busy)
      return fail(std::move(done.error()).in("clean up"));
    return {};
  }

  Result<> reap() {
    if (!mirror_->servers().is_draining())
      return {};
    SLUICE_ASSIGN(const auto plan, mirror_->servers().reap(*ipvs_, clock_.now()), "drain");
    SLUICE_TRY(clean_up(plan.after), "drain");
    return forget(plan.removed);
  }

  /// Weight 0 for all; endpoints without open connections go. True: none is left.
  Result<bool> drain_servers(const ActualTable &actual) {
    SLUICE_ASSIGN(const auto found, read_servers(*ipvs_, family_, actual.of(kServers)), "drain");
    SLUICE_TRY(clean_up(plan_rest(found)), "drain");
    SLUICE_ASSIGN(const auto open, environment_->open_connections(), "drain");
    std::vector<Mark> removed;
    SLUICE_TRY(clean_up(plan_end(found, open, removed)), "drain");
    Batch record(table_);
    for (const auto mark : removed)
      record.remove(kServers, number(mark));
    SLUICE_TRY(nft_->commit(record), "drain");
    return removed.size() == found.ours.size();
  }

  void rewrite_rules(const NodeInfo &node, Batch &change) const {
    for (const auto &[chain, rules] : constant_rules(family_, node, options_)) {
      change.flush_chain(chain);
      for (const auto &rule : rules)
        change.add(rule);
    }
  }

  static void tell(const Batch &batch, Drift &drift) {
    const auto text = batch.str();
    for (std::size_t at = 0; at < text.size();) {
      const auto end = std::min(text.find('\n', at), text.size());
      drift.differences.push_back(text.substr(at, end - at));
      at = end + 1;
    }
  }

  void compare(const ActualServers &found, Drift &drift) const {
    for (const auto &[mark, server] : mirror_->servers().actual()) {
      const auto there = found.ours.find(mark);
      const auto name = "virtual service " + to_string(server.service.id);
      if (there == found.ours.end())
        drift.differences.push_back(name + " is missing");
      else if (!(there->second.service == server.service))
        drift.differences.push_back(name + " is not as it should be");
      else if (there->second.weights != server.weights)
        drift.differences.push_back("the destinations of " + name + " are not as they should be");
    }
  }

  Family family_;
  std::unique_ptr<Nft> nft_;
  std::unique_ptr<Ipvs> ipvs_;
  std::unique_ptr<Environment> environment_;
  const Clock &clock_;
  Options options_;
  TableId table_;
  std::unique_ptr<Mirror> mirror_; // nothing: start comes first. Refers to options_.
};

} // namespace

Result<> try_scheduler(Ipvs &ipvs, Family family, const Options &options) {
  const auto probe = Servers(family, options).service_of(options.divertBit);
  SLUICE_ASSIGN(
      const auto refused,
      ipvs.apply_each({kernel::ipvs::AddService{probe}, kernel::ipvs::RemoveService{probe.id}}),
      "try IPVS scheduler \"" + options.scheduler + "\"");
  const bool added = refused.empty() || refused.front().operation != 0 ||
                     refused.front().error.code() == Errc::already_exists;
  if (added)
    return {};
  if (const auto &error = refused.front().error; error.code() != Errc::not_found)
    return fail(Error(error).in("try IPVS scheduler \"" + options.scheduler + "\""));
  return fail(Errc::unsupported, "this kernel has no IPVS scheduler \"" + options.scheduler +
                                     "\": modprobe ip_vs_" + options.scheduler +
                                     ", or take another one; Linux comes with " + kSchedulers);
}

std::unique_ptr<Dataplane> make_dataplane(Family family, std::unique_ptr<Nft> nft,
                                          std::unique_ptr<Ipvs> ipvs,
                                          std::unique_ptr<Environment> environment,
                                          const Clock &clock, Options options) {
  return std::make_unique<IpvsDataplane>(family, std::move(nft), std::move(ipvs),
                                         std::move(environment), clock, std::move(options));
}

} // namespace sluice::proxy::ipvs
