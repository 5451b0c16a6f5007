#include "proxy/iptables/dataplane.hpp"

#include "kernel/sysctl.hpp"
#include "proxy/iptables/kernel_state.hpp"
#include "proxy/model/tracer.hpp"

namespace sluice::proxy::iptables {
namespace {

class IptablesDataplane final : public Dataplane {
public:
  IptablesDataplane(Family family, std::unique_ptr<kernel::iptables::Tool> tool, Options options)
      : tool_(std::move(tool)), options_(options), ruleset_(family, std::move(options)) {}

  Result<> start(const Table &table) override {
    started_ = false;
    unwritten_ = {};
    SLUICE_ASSIGN(auto saved, read_back(), "start");
    kernel_ = KernelState(std::move(saved));
    ruleset_.reset(table);
    const auto all = ruleset_.all();
    if (!table.node.localhostNodePorts)
      SLUICE_TRY(close_localnet(), "start");
    SLUICE_ASSIGN(const auto counts,
                  write(kernel_.texts_for_all(all, options_.chainsPerCommit), true), "start");
    kernel_ = KernelState();
    kernel_.written(all);
    tell({.whole = true, .written = counts, .present = kernel_.rules()});
    if (table.node.localhostNodePorts && options_.routeLocalnet)
      SLUICE_TRY(options_.routeLocalnet->set(true), "start");
    started_ = true;
    restarting_ = false;
    return {};
  }

  Result<> apply(const TableDelta &delta) override {
    if (!started_ && !restarting_)
      return fail(Errc::invalid_input, "apply: start the data plane first");
    const bool was_open = ruleset_.table().node.localhostNodePorts;
    merge(ruleset_.change(delta), unwritten_);
    // The guard's jump is not among the chains.
    restarting_ = restarting_ || ruleset_.table().node.localhostNodePorts != was_open;
    if (restarting_)
      return start(Table(ruleset_.table()));
    const auto counts = write({kernel_.text_for(unwritten_)}, false);
    if (!counts) {
      started_ = counts.error().code() == Errc::busy; // else the kernel's state is unknown
      return fail(Error(counts.error()).in("apply"));
    }
    kernel_.written(unwritten_);
    unwritten_ = {};
    tell({.written = *counts, .present = kernel_.rules()});
    return {};
  }

  Result<Drift> verify(const Table &table) override {
    SLUICE_ASSIGN(auto saved, read_back(), "verify");
    Drift drift{KernelState(std::move(saved)).differences(wanted_state(table))};
    if (table.node.localhostNodePorts && options_.routeLocalnet) {
      SLUICE_ASSIGN(const bool open, options_.routeLocalnet->get(), "verify");
      if (!open)
        drift.differences.push_back("net.ipv4.conf.all.route_localnet is 0");
    }
    return drift;
  }

  Result<> remove() override {
    started_ = false;
    SLUICE_ASSIGN(auto saved, read_back(), "remove");
    kernel_ = KernelState(std::move(saved));
    SLUICE_TRY(close_localnet(), "remove");
    if (const auto text = kernel_.text_to_remove(); !text.empty())
      SLUICE_TRY(tool_->restore(text), "remove");
    return {};
  }

  Result<Explanation> explain(const Flow &flow) override {
    if (!started_)
      return fail(Errc::invalid_input, "explain: start the data plane first");
    // iptables-save tells text: that all of it is as written is what can be said of the kernel.
    SLUICE_ASSIGN(auto drift, verify(ruleset_.table()), "explain");
    auto explanation = trace(ruleset_.table(), flow);
    if (drift.empty())
      explanation.objects = {"all chains " + std::string(kPrefix) + "* and the jumps to them are " +
                             "word for word as written"};
    explanation.differences = std::move(drift.differences);
    return explanation;
  }

private:
  static void merge(ChainSet from, ChainSet &into) {
    for (auto &[name, rules] : from.nat)
      into.nat[name] = std::move(rules);
    for (auto &[name, rules] : from.filter)
      into.filter[name] = std::move(rules);
  }

  /// What the kernel holds when it is as `table` says.
  KernelState wanted_state(const Table &table) const {
    KernelState state;
    const auto note = [&](const ChainSet &part) { state.written(part); };
    if (table == ruleset_.table()) {
      ruleset_.each_part(note);
      return state;
    }
    Ruleset wanted(table.family, options_);
    wanted.reset(table);
    wanted.each_part(note);
    return state;
  }

  Result<Saved> read_back() {
    // Of all tables: the legacy flavour would make one that is asked for by name.
    SLUICE_ASSIGN(const auto text, tool_->save(""), "read back");
    return read_saved(text);
  }

  /// Before the guard goes.
  Result<> close_localnet() {
    if (!kernel_.guarded() || !options_.routeLocalnet)
      return {};
    return options_.routeLocalnet->set(false);
  }

  /// What was written.
  Result<RuleCounts> write(const std::vector<std::string> &texts, bool whole) {
    RuleCounts counts;
    for (const auto &text : texts) {
      if (text.empty())
        continue;
      if (auto done = tool_->restore(text); !done) {
        if (done.error().code() != Errc::busy)
          tell({.whole = whole, .failed = true});
        return fail(std::move(done.error()));
      }
      const auto more = rules_in(text);
      counts = {counts.nat + more.nat, counts.filter + more.filter};
    }
    return counts;
  }

  void tell(const WriteReport &report) const {
    if (options_.wrote)
      options_.wrote(report);
  }

  std::unique_ptr<kernel::iptables::Tool> tool_;
  Options options_;
  Ruleset ruleset_;
  KernelState kernel_;
  ChainSet unwritten_; ///< what could not be written for the lock
  bool started_ = false;
  bool restarting_ = false; ///< `apply` has to start, and was kept from it by the lock
};

} // namespace

RouteLocalnet route_localnet() {
  constexpr auto kName = "net/ipv4/conf/all/route_localnet";
  return {.get = []() -> Result<bool> {
            SLUICE_ASSIGN(const auto text, kernel::Sysctl().read(kName), "nodePorts on localhost");
            return text == "1";
          },
          .set = [](bool on) { return kernel::Sysctl().write(kName, on ? "1" : "0"); }};
}

std::unique_ptr<Dataplane>
make_dataplane(Family family, std::unique_ptr<kernel::iptables::Tool> tool, Options options) {
  return std::make_unique<IptablesDataplane>(family, std::move(tool), std::move(options));
}

} // namespace sluice::proxy::iptables
