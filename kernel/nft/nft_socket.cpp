#include "kernel/nft/nft_socket.hpp"
#include "kernel/nft/decode.hpp"
#include "kernel/nft/encode.hpp"
#include "kernel/nft/rule_codec.hpp"

#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <sys/socket.h>

#include <cerrno>

namespace sluice::kernel::nft {
namespace {

using detail::Ack;
using detail::Encoded;

constexpr std::size_t kReceiveBytes = 64 * 1024; // a dump's datagrams are at most 32 kB
constexpr int kDumpTries = 20;
constexpr int kErestart = 85; // ERESTART: the generation that the batch names is gone

/// A fixed buffer for one datagram.
class Receiver {
public:
  explicit Receiver(int fd)
      : fd_(fd), buffer_(std::make_unique_for_overwrite<std::uint8_t[]>(kReceiveBytes)) {}
  /// The bytes of the next datagram; EAGAIN if `flags` say not to wait and none is there.
  Result<std::span<std::uint8_t>> receive(int flags) {
    for (;;) {
      const auto got = ::recv(fd_, buffer_.get(), kReceiveBytes, flags);
      if (got >= 0)
        return std::span(buffer_.get(), static_cast<std::size_t>(got));
      if (errno != EINTR)
        return fail(Error::from_errno(errno, "receive from nf_tables"));
    }
  }

private:
  int fd_;
  std::unique_ptr<std::uint8_t[]> buffer_;
};

/// Calls `each(message)` for the messages of one datagram.
template <class Each> void for_each_message(std::span<std::uint8_t> datagram, Each each) {
  int left = static_cast<int>(datagram.size());
  const auto *message = reinterpret_cast<const nlmsghdr *>(datagram.data());
  for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left))
    each(message);
}

std::string quoted_kernel_text(const Ack &ack) {
  return ack.text.empty() ? "" : " (kernel: " + ack.text + ")";
}

Error refused(const Batch &batch, const Encoded &encoded, const Ack &ack) {
  const auto origin = encoded.origin(ack.sequence, ack.attribute_offset);
  std::string doing = "commit to nft table \"" + batch.table().str() + "\"";
  if (origin)
    doing += ": " + describe(batch.table(), batch.ops()[origin->op], origin->first_element);
  if (ack.error == kErestart)
    return Error(Errc::conflict, doing + ": another program changed the ruleset first");
  return Error::from_errno(ack.error, doing + quoted_kernel_text(ack));
}

/// All answers that are there. The kernel works inside sendmsg(2): nothing comes later.
Result<std::optional<Ack>> first_error(Receiver &receiver, const Encoded &encoded) {
  std::optional<Ack> error;
  bool answered = false;
  for (;;) {
    auto datagram = receiver.receive(MSG_DONTWAIT);
    if (!datagram && datagram.error().sys() == ENOBUFS)
      continue; // there were more errors than room; the first ones are still there
    if (!datagram && (datagram.error().sys() == EAGAIN || datagram.error().sys() == EWOULDBLOCK))
      break;
    if (!datagram)
      return fail(std::move(datagram.error()));
    for_each_message(*datagram, [&](const nlmsghdr *message) {
      if (message->nlmsg_type != NLMSG_ERROR)
        return;
      auto ack = detail::ack_from(message);
      if (ack.sequence - encoded.first_sequence() > encoded.messages() + 1)
        return; // the answer to something that was given up
      answered = true;
      if (ack.error != 0 && !error)
        error = std::move(ack);
    });
  }
  if (!answered)
    return fail(Errc::kernel, "the kernel did not say whether it committed; read it back");
  return error;
}

/// One dump or one get, as messages.
class Request {
public:
  Request(std::uint16_t message, std::uint16_t flags, TableFamily family, std::uint32_t sequence) {
    auto *header = mnl_nlmsg_put_header(buffer_.data());
    header->nlmsg_type = static_cast<std::uint16_t>(NFNL_SUBSYS_NFTABLES << 8 | message);
    header->nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
    header->nlmsg_seq = sequence;
    auto *body = static_cast<nfgenmsg *>(mnl_nlmsg_put_extra_header(header, sizeof(nfgenmsg)));
    body->nfgen_family = static_cast<std::uint8_t>(family);
    body->version = NFNETLINK_V0;
  }
  Request &text(std::uint16_t type, const std::string &value) {
    mnl_attr_put_strz(header(), type, value.c_str());
    return *this;
  }
  /// An element list of one key.
  Request &element(const Value &key) {
    auto *list = mnl_attr_nest_start(header(), NFTA_SET_ELEM_LIST_ELEMENTS);
    auto *one = mnl_attr_nest_start(header(), NFTA_LIST_ELEM);
    auto *name = mnl_attr_nest_start(header(), NFTA_SET_ELEM_KEY);
    mnl_attr_put(header(), NFTA_DATA_VALUE, key.size(), key.bytes().data());
    for (auto *nest : {name, one, list})
      mnl_attr_nest_end(header(), nest);
    return *this;
  }
  std::uint32_t sequence() const { return header()->nlmsg_seq; }
  Result<> send(int fd) const {
    if (::send(fd, buffer_.data(), header()->nlmsg_len, 0) < 0)
      return fail(Error::from_errno(errno, "ask nf_tables"));
    return {};
  }

private:
  // No pointer is kept: requests are copied.
  nlmsghdr *header() { return reinterpret_cast<nlmsghdr *>(buffer_.data()); }
  const nlmsghdr *header() const { return reinterpret_cast<const nlmsghdr *>(buffer_.data()); }

  alignas(nlmsghdr) std::array<std::uint8_t, 1024> buffer_{}; // two names of 256 bytes at most
};

enum class DumpEnd : std::uint8_t { complete, interrupted };

/// Receives until the kernel says that the dump is over.
template <class Each>
Result<DumpEnd> receive_dump(Receiver &receiver, std::uint32_t sequence, Each each) {
  bool done = false, interrupted = false;
  Ack ack;
  while (!done) {
    SLUICE_ASSIGN(const auto datagram, receiver.receive(0), "dump");
    for_each_message(datagram, [&](const nlmsghdr *message) {
      if (message->nlmsg_seq != sequence || done)
        return;
      interrupted = interrupted || (message->nlmsg_flags & NLM_F_DUMP_INTR) != 0;
      if (message->nlmsg_type == NLMSG_ERROR)
        ack = detail::ack_from(message);
      done = message->nlmsg_type == NLMSG_ERROR || message->nlmsg_type == NLMSG_DONE ||
             (message->nlmsg_flags & NLM_F_MULTI) == 0;
      if (message->nlmsg_type != NLMSG_ERROR && message->nlmsg_type != NLMSG_DONE)
        each(message);
    });
  }
  if (ack.error == EINTR)
    interrupted = true;
  else if (ack.error != 0)
    return fail(Error::from_errno(ack.error, "nf_tables answered" + quoted_kernel_text(ack)));
  return interrupted ? DumpEnd::interrupted : DumpEnd::complete;
}

/// The answer to a question that is no dump.
template <class Each>
Result<> receive_answer(Receiver &receiver, std::uint32_t sequence, Each each) {
  SLUICE_TRY(receive_dump(receiver, sequence, each), "look");
  return {};
}

/// Repeats the dump until nobody committed in between. `restart` forgets what came.
template <class Make, class Restart, class Each>
Result<> dump(int fd, Make make_request, Restart restart, Each each) {
  Receiver receiver(fd);
  for (int tries = 0; tries < kDumpTries; ++tries) {
    restart();
    const Request request = make_request();
    SLUICE_TRY(request.send(fd), "dump");
    SLUICE_ASSIGN(const auto end, receive_dump(receiver, request.sequence(), each), "dump");
    if (end == DumpEnd::complete)
      return {};
  }
  return fail(Errc::busy,
              "the ruleset changed during each of " + std::to_string(kDumpTries) + " dumps");
}

/// A table that is not there holds nothing.
Result<> missing_is_empty(Result<> result, const std::string &doing) {
  if (!result && result.error().sys() != ENOENT)
    return fail(std::move(result.error()).in(doing));
  return {};
}

Result<> set_option(int fd, int option, const char *name) {
  const int on = 1;
  if (::setsockopt(fd, SOL_NETLINK, option, &on, sizeof on) != 0)
    return fail(Error::from_errno(errno, std::string("set netlink option ") + name));
  return {};
}

} // namespace

Result<NftSocket> NftSocket::open() {
  UniqueFd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER));
  if (!fd)
    return fail(Error::from_errno(errno, "open an nf_tables socket"));
  sockaddr_nl address{.nl_family = AF_NETLINK};
  socklen_t length = sizeof address;
  auto *generic = reinterpret_cast<sockaddr *>(&address);
  if (::bind(fd.get(), generic, length) != 0 || ::getsockname(fd.get(), generic, &length) != 0)
    return fail(Error::from_errno(errno, "bind an nf_tables socket"));
  SLUICE_TRY(set_option(fd.get(), NETLINK_EXT_ACK, "NETLINK_EXT_ACK"), "open an nf_tables socket");
  SLUICE_TRY(set_option(fd.get(), NETLINK_CAP_ACK, "NETLINK_CAP_ACK"), "open an nf_tables socket");
  return NftSocket(std::move(fd), address.nl_pid);
}

Result<> NftSocket::commit(const Batch &batch, CommitOptions options) {
  if (batch.empty())
    return {};
  Encoded encoded(batch, sequence_, options.generation);
  sequence_ += encoded.messages() + 2;
  const auto doing = "commit to nft table \"" + batch.table().str() + "\"";
  const auto bytes = encoded.bytes();
  if (bytes.size() > send_buffer_bytes_) {
    // The kernel doubles it; without CAP_NET_ADMIN the plain option does what it may.
    const int size = static_cast<int>(bytes.size());
    if (::setsockopt(fd_.get(), SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size) != 0)
      ::setsockopt(fd_.get(), SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    send_buffer_bytes_ = bytes.size();
  }
  sockaddr_nl kernel{.nl_family = AF_NETLINK};
  ssize_t sent = 0;
  do
    sent = ::sendto(fd_.get(), bytes.data(), bytes.size(), 0,
                    reinterpret_cast<const sockaddr *>(&kernel), sizeof kernel);
  while (sent < 0 && errno == EINTR);
  if (sent < 0)
    return fail(Error::from_errno(errno, doing + ": send " + std::to_string(bytes.size()) +
                                             " bytes for " + std::to_string(batch.size()) +
                                             " objects"));
  Receiver receiver(fd_.get());
  SLUICE_ASSIGN(const auto error, first_error(receiver, encoded), doing);
  if (error)
    return fail(refused(batch, encoded, *error));
  return {};
}

Result<std::uint32_t> NftSocket::generation() {
  const Request request(NFT_MSG_GETGEN, 0, TableFamily{AF_UNSPEC}, sequence_++);
  SLUICE_TRY(request.send(fd_.get()), "read the ruleset's generation");
  Receiver receiver(fd_.get());
  std::uint32_t generation = 0;
  SLUICE_TRY(receive_dump(receiver, request.sequence(),
                          [&](const nlmsghdr *m) { generation = detail::generation_from(m); }),
             "read the ruleset's generation");
  return generation;
}

Result<std::vector<TableInfo>> NftSocket::read_tables() {
  std::vector<TableInfo> tables;
  SLUICE_TRY(dump(
                 fd_.get(),
                 [&] {
                   return Request(NFT_MSG_GETTABLE, NLM_F_DUMP, TableFamily{AF_UNSPEC},
                                  sequence_++);
                 },
                 [&] { tables.clear(); },
                 [&](const nlmsghdr *m) { tables.push_back(detail::table_from(m)); }),
             "read the nft tables");
  return tables;
}

Result<std::optional<TableInfo>> NftSocket::read_table(const TableId &table) {
  SLUICE_ASSIGN(const auto tables, read_tables(), "look for nft table \"" + table.str() + "\"");
  for (const auto &found : tables)
    if (found.id == table)
      return std::optional(found);
  return std::optional<TableInfo>();
}

Result<std::vector<Chain>> NftSocket::read_chains(const TableId &table) {
  std::vector<Chain> chains;
  SLUICE_TRY(missing_is_empty(dump(
                                  fd_.get(),
                                  [&] {
                                    return Request(NFT_MSG_GETCHAIN, NLM_F_DUMP, table.family,
                                                   sequence_++)
                                        .text(NFTA_CHAIN_TABLE, table.name);
                                  },
                                  [&] { chains.clear(); },
                                  [&](const nlmsghdr *m) {
                                    if (auto chain = detail::chain_from(m, table))
                                      chains.push_back(std::move(*chain));
                                  }),
                              "read the chains"),
             "nft table \"" + table.str() + "\"");
  return chains;
}

Result<std::vector<SetInfo>> NftSocket::read_sets(const TableId &table) {
  std::vector<SetInfo> sets;
  SLUICE_TRY(missing_is_empty(dump(
                                  fd_.get(),
                                  [&] {
                                    return Request(NFT_MSG_GETSET, NLM_F_DUMP, table.family,
                                                   sequence_++)
                                        .text(NFTA_SET_TABLE, table.name);
                                  },
                                  [&] { sets.clear(); },
                                  [&](const nlmsghdr *m) {
                                    if (auto set = detail::set_from(m, table))
                                      sets.push_back(std::move(*set));
                                  }),
                              "read the sets"),
             "nft table \"" + table.str() + "\"");
  return sets;
}

Result<> NftSocket::read_elements(const TableId &table, const std::string &set, ElementSink &sink) {
  SLUICE_TRY(dump(
                 fd_.get(),
                 [&] {
                   return Request(NFT_MSG_GETSETELEM, NLM_F_DUMP, table.family, sequence_++)
                       .text(NFTA_SET_ELEM_LIST_TABLE, table.name)
                       .text(NFTA_SET_ELEM_LIST_SET, set);
                 },
                 [&] { sink.begin(); }, [&](const nlmsghdr *m) { detail::elements_from(m, sink); }),
             "read set \"" + set + "\" of nft table \"" + table.str() + "\"");
  return {};
}

Result<std::optional<Element>> NftSocket::read_element(const TableId &table, const std::string &set,
                                                       const Value &key) {
  struct First final : ElementSink {
    void begin() override { element.reset(); }
    void take(Element &&taken) override { element = std::move(taken); }
    std::optional<Element> element;
  } found;
  auto request = Request(NFT_MSG_GETSETELEM, 0, table.family, sequence_++)
                     .text(NFTA_SET_ELEM_LIST_TABLE, table.name)
                     .text(NFTA_SET_ELEM_LIST_SET, set)
                     .element(key);
  const auto doing =
      "look an element up in set \"" + set + "\" of nft table \"" + table.str() + "\"";
  SLUICE_TRY(request.send(fd_.get()), doing);
  Receiver receiver(fd_.get());
  SLUICE_TRY(
      missing_is_empty(receive_answer(receiver, request.sequence(),
                                      [&](const nlmsghdr *m) { detail::elements_from(m, found); }),
                       "look"),
      doing);
  return std::move(found.element);
}

Result<std::vector<RuleInfo>> NftSocket::read_rules(const TableId &table) {
  std::vector<RuleInfo> rules;
  SLUICE_TRY(missing_is_empty(dump(
                                  fd_.get(),
                                  [&] {
                                    return Request(NFT_MSG_GETRULE, NLM_F_DUMP, table.family,
                                                   sequence_++)
                                        .text(NFTA_RULE_TABLE, table.name);
                                  },
                                  [&] { rules.clear(); },
                                  [&](const nlmsghdr *m) {
                                    if (auto rule = detail::rule_from(m, table))
                                      rules.push_back(std::move(*rule));
                                  }),
                              "read the rules"),
             "nft table \"" + table.str() + "\"");
  return rules;
}

} // namespace sluice::kernel::nft
