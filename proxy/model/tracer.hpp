#pragma once
// Answers from the table alone where a connection goes: what every data plane must do with it.

#include "proxy/model/flow.hpp"

namespace sluice::proxy {

/// The three classes of sources that a frontend tells apart.
enum class SourceClass : std::uint8_t { pod, node, outside };

/// A flow without an input interface was sent by a process of this node.
SourceClass source_class(const NodeInfo &node, const Flow &flow);

/// "a pod of this node, as the local detector sees it"
std::string words_of(SourceClass source);
/// "clusterIP"
std::string words_of(FrontendKind kind);

/// Pure; O(log frontends + backends).
Explanation trace(const Table &table, const Flow &flow);

} // namespace sluice::proxy
