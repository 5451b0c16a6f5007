#include "integration/packets/others.hpp"

namespace sluice::integration::packets {

using namespace kernel::nft;

namespace {

/// What leaves by `link` on a new connection with other bits than these is dropped.
Exprs lets_through(const std::string &link, const std::string &value_and_mask) {
  const auto slash = value_and_mask.find('/');
  const auto number = [](const std::string &text) {
    return static_cast<std::uint32_t>(std::strtoul(text.c_str(), nullptr, 0));
  };
  const auto value = number(value_and_mask.substr(0, slash));
  const auto mask = number(value_and_mask.substr(slash + 1));
  return join({output_interface(link),
               ct_state(kCtNew),
               {Meta{MetaKey::mark, 0}, Bitwise{0, 0, field_u32(mask), field_u32(0)},
                Cmp{CmpOp::ne, 0, field_u32(value)}},
               drop()});
}

} // namespace

Result<> Others::take_back() {
  if (forwards_nothing_)
    SLUICE_TRY(set_forward_policy("ACCEPT"), "take back the policy");
  forwards_nothing_ = false;
  if (!rules_.empty())
    SLUICE_TRY(commit(Batch(id()).destroy_table()), "take back the rules");
  rules_.clear();
  return {};
}

Result<> Others::set_forward_policy(const char *policy) {
  SLUICE_ASSIGN(
      auto tool,
      kernel::iptables::open_tool({.family = family_, .flavour = flavour_, .netns_fd = node_.fd()}),
      "open iptables");
  return tool->restore(std::string("*filter\n:FORWARD ") + policy + " [0:0]\nCOMMIT\n");
}

Result<> Others::commit(Batch batch) {
  SLUICE_ASSIGN(auto socket, node_.run([] { return NftSocket::open(); }), "open nf_tables");
  return socket.commit(batch);
}

Result<> Others::add(const std::vector<std::string> &words, const proxy::cases::World &world) {
  const auto what = words.empty() ? std::string() : words[0];
  if (what == "forwards" && words.size() == 2 && words[1] == "nothing") {
    forwards_nothing_ = true;
    return set_forward_policy("DROP");
  }
  if (what == "drops" && words.size() == 2) {
    SLUICE_ASSIGN(const auto probe, world.probe(words[1]), "host drops");
    rules_.push_back({.chain = "forward",
                      .exprs = join({source_in(Cidr::host(probe.flow.source)),
                                     destination_in(Cidr::host(probe.flow.destination)),
                                     protocol_is(probe.flow.protocol),
                                     destination_port(probe.flow.destinationPort), drop()})});
  } else if (what == "marks" && words.size() == 3) {
    const auto bits = static_cast<std::uint32_t>(std::strtoul(words[2].c_str(), nullptr, 0));
    rules_.push_back({.chain = "prerouting",
                      .exprs = join({source_in(Cidr::host(world.book().address(words[1]))),
                                     set_mark_bits(bits)})});
  } else if (what == "lets-through" && words.size() == 3) {
    rules_.push_back({.chain = "postrouting", .exprs = lets_through(words[1], words[2])});
  } else {
    return fail(Errc::invalid_input, "no rule of a host is called \"" + what + "\"");
  }
  Batch batch(id());
  batch.destroy_table().add_table();
  batch.add(Chain{.name = "forward", .base = BaseChain{.hook = Hook::forward}});
  batch.add(Chain{.name = "prerouting",
                  .base = BaseChain{.hook = Hook::prerouting, .priority = kPriorityMangle}});
  batch.add(Chain{.name = "postrouting",
                  .base = BaseChain{.hook = Hook::postrouting, .priority = kPrioritySrcnat + 200}});
  for (const auto &rule : rules_)
    batch.add(rule);
  return commit(std::move(batch));
}

} // namespace sluice::integration::packets
