#include "proxy/model/table.hpp"

#include "net/diff.hpp"

namespace sluice::proxy {

std::string ServicePortName::str() const {
  return namespace_ + "/" + name + (port.empty() ? "" : ":" + port);
}

std::string Frontend::str() const {
  const auto number = std::to_string(port.value);
  const auto where =
      address ? SocketAddress{*address, port}.str() : std::string("node:").append(number);
  return where + "/" + std::string(name_of(protocol));
}

TableDelta delta_between(const Table &from, const Table &to) {
  TableDelta delta;
  auto sets = diff(from.backendSets, to.backendSets);
  delta.setBackends = std::move(sets.set);
  delta.removeBackends = std::move(sets.remove);
  auto frontends = diff(from.frontends, to.frontends);
  delta.setFrontends = std::move(frontends.set);
  delta.removeFrontends = std::move(frontends.remove);
  if (!(from.node == to.node))
    delta.node = to.node;
  return delta;
}

void apply_delta(Table &table, const TableDelta &delta) {
  for (const auto &[id, set] : delta.setBackends)
    table.backendSets.insert_or_assign(id, set);
  for (const auto &id : delta.removeBackends)
    table.backendSets.erase(id);
  for (const auto &[frontend, info] : delta.setFrontends)
    table.frontends.insert_or_assign(frontend, info);
  for (const auto &frontend : delta.removeFrontends)
    table.frontends.erase(frontend);
  if (delta.node)
    table.node = *delta.node;
}

} // namespace sluice::proxy
