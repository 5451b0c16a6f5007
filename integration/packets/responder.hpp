#pragma once
// Everybody who answers: listeners in every namespace, served by one thread. An answer says which
// address it was asked at and whom it saw asking.

#include "integration/packets/net.hpp"
#include "net/unique_fd.hpp"

#include <atomic>
#include <thread>

namespace sluice::integration::packets {

/// What an answer says.
struct Identity {
  SocketAddress at;   ///< where the packet arrived
  SocketAddress from; ///< whom it came from
  std::string str() const;
  static std::optional<Identity> parse(const std::string &text);
};

/// What a client may send first on an accepted connection; anything else is sent back.
inline constexpr char kPleaseClose = '\x01', kPleaseReset = '\x02';

/// How SCTP is spoken. A kernel that has sockets for it answers what comes by hand too, once its
/// module is there: who wants both asks by hand first.
enum class Sctp : std::uint8_t { by_hand, sockets };
/// Whether this kernel has them; brings the module.
bool has_sctp_sockets();

/// TCP and SCTP sockets: the identity is sent on accept. UDP: every datagram is answered with it.
/// SCTP by hand: every INIT is answered by an INIT ACK with it as its cookie.
class Responder {
public:
  /// The ports where somebody listens, TCP and UDP. Port 9 is not among them.
  static const std::vector<std::uint16_t> &ports();

  static Result<std::unique_ptr<Responder>> start(const Net &net, Sctp sctp);
  ~Responder();
  Responder(const Responder &) = delete;
  Responder &operator=(const Responder &) = delete;

private:
  enum class Kind : std::uint8_t { wake, listener, connection, datagrams, sctp };
  struct Entry {
    Kind kind;
    Family family;
    UniqueFd fd;
  };

  Responder() = default;
  Result<> listen(const Host &host);
  Result<> listen_by_hand(const Host &host);
  Result<> listen_for_associations(const proxy::cases::Place &place, const Host &host);
  Result<> add(Kind kind, Family family, UniqueFd fd);
  void serve();
  void accept_from(const Entry &entry);
  void echo(Entry &entry);
  void answer_datagrams(const Entry &entry);
  void answer_sctp(const Entry &entry);

  UniqueFd epoll_, wake_;
  std::map<int, Entry> entries_; // by descriptor; the thread's own once it runs
  std::thread thread_;
};

} // namespace sluice::integration::packets
