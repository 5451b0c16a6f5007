#include "proxy/nftables/explain.hpp"

#include "proxy/model/tracer.hpp"
#include "proxy/nftables/layout.hpp"

namespace sluice::proxy::nftables {
namespace {

using namespace kernel::nft;

Source source_of(SourceClass source) {
  switch (source) {
  case SourceClass::pod:
    return Source::pod;
  case SourceClass::node:
    return Source::node;
  case SourceClass::outside:
    break;
  }
  return Source::outside;
}

/// Asks the kernel and writes down what it said.
class Reader {
public:
  Reader(Nft &nft, const TableId &table, const NodeInfo &node, const Flow &flow)
      : nft_(nft), table_(table), node_(node), flow_(flow),
        source_(source_of(source_class(node, flow))) {}

  Result<Explanation> explain() {
    SLUICE_ASSIGN(auto data, frontend_data_in_kernel(), "explain");
    if (!data) {
      SLUICE_TRY(without_frontend(), "explain");
      return std::move(out_);
    }
    const auto flags = data->u32_at(0);
    if ((flags & kRangedFlag) != 0) {
      SLUICE_ASSIGN(const bool may_come_in, in_ranges(), "explain");
      if (!may_come_in) {
        out_.verdict = "drop";
        return std::move(out_);
      }
    }
    const auto set = sets_of(*data)[static_cast<std::size_t>(source_)];
    if (set == 0)
      out_.verdict = (flags & drop_flag(source_)) != 0 ? "drop" : "reject";
    else
      SLUICE_TRY(translate(set, flags), "explain");
    return std::move(out_);
  }

private:
  /// The element's data, or nothing.
  Result<std::optional<Value>> look_up(const char *map, const Value &key,
                                       const std::string &words) {
    SLUICE_ASSIGN(const auto found, nft_.read_element(table_, map, key), "read the kernel");
    out_.objects.push_back(std::string(found ? "element " : "no element ") + table_.str() + " " +
                           map + " { " + words + " }");
    if (!found)
      return std::optional<Value>();
    return std::optional(found->data);
  }

  std::string port_words() const {
    return std::string(name_of(flow_.protocol)) + " . " +
           std::to_string(flow_.destinationPort.value);
  }

  Result<std::optional<Value>> frontend_data_in_kernel() {
    const Frontend by_address{flow_.destination, flow_.destinationPort, flow_.protocol};
    SLUICE_ASSIGN(auto data,
                  look_up(kFrontends, frontend_key(by_address),
                          flow_.destination.str() + " . " + port_words()),
                  "look the address up");
    if (data) {
      out_.frontend = by_address;
      return data;
    }
    SLUICE_ASSIGN(const bool accepts, accepts_node_ports(), "look the address up");
    if (!accepts)
      return std::optional<Value>();
    const Frontend by_port{std::nullopt, flow_.destinationPort, flow_.protocol};
    SLUICE_ASSIGN(data, look_up(kNodePorts, frontend_key(by_port), port_words()),
                  "look the nodePort up");
    if (data)
      out_.frontend = by_port;
    return data;
  }

  Result<bool> accepts_node_ports() {
    const auto &ip = flow_.destination;
    if (ip.is_loopback())
      return false;
    if (node_.anyNodePortAddress)
      return std::find(node_.nodeAddresses.begin(), node_.nodeAddresses.end(), ip) !=
             node_.nodeAddresses.end();
    SLUICE_ASSIGN(const auto found, look_up(kNodePortIps, Value().put(ip), ip.str()), "look");
    return found.has_value();
  }

  /// The ranges of any length that could hold the source.
  Result<bool> in_ranges() {
    for (unsigned length = flow_.source.bits() + 1; length-- > 0;) {
      const Cidr range(flow_.source, length);
      SLUICE_ASSIGN(const auto found,
                    nft_.read_element(table_, kRanges, range_key(*out_.frontend, range)),
                    "read the source ranges");
      if (!found)
        continue;
      out_.objects.push_back("element " + table_.str() + " " + kRanges + " for " + range.str());
      return true;
    }
    out_.objects.push_back("no element " + table_.str() + " " + kRanges + " for " +
                           flow_.source.str());
    return false;
  }

  Result<> translate(KernelSetId set, std::uint32_t flags) {
    out_.verdict = "translate";
    out_.masquerade = (flags & masquerade_flag(source_)) != 0;
    const auto name = std::to_string(set);
    SLUICE_ASSIGN(const auto count, look_up(kCounts, number(set), "set " + name), "count");
    if (!count)
      return fail(Errc::kernel, "set " + name + " has no count; the next read-back mends it");
    for (std::uint32_t slot = 0; slot < count->u32_at(0); ++slot) {
      SLUICE_ASSIGN(
          const auto endpoint,
          look_up(kSlots, slot_key(set, slot), "set " + name + " . " + std::to_string(slot)),
          "read a slot");
      if (endpoint)
        out_.backends.push_back({endpoint_of(flow_.destination.family(), *endpoint)});
    }
    std::sort(out_.backends.begin(), out_.backends.end());
    return {};
  }

  Result<> without_frontend() {
    const auto &to = flow_.destination;
    SLUICE_ASSIGN(const auto cluster_ip, look_up(kClusterIps, Value().put(to), to.str()), "look");
    const bool in_service_range =
        std::any_of(node_.serviceCidrs.begin(), node_.serviceCidrs.end(),
                    [&](const Cidr &range) { return range.contains(to); });
    out_.verdict = cluster_ip ? "reject" : in_service_range ? "drop" : "none";
    return {};
  }

  Nft &nft_;
  const TableId &table_;
  const NodeInfo &node_;
  const Flow &flow_;
  Source source_;
  Explanation out_;
};

} // namespace

Result<Explanation> explain_from(Nft &nft, const TableId &table, const NodeInfo &node,
                                 const Flow &flow) {
  return Reader(nft, table, node, flow).explain();
}

} // namespace sluice::proxy::nftables
