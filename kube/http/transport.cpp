#include "kube/http/transport.hpp"

#include "net/ip_address.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <sys/uio.h>

namespace sluice::kube::http {
namespace {

template <auto Fn> struct Free {
  template <class T> void operator()(T *pointer) const noexcept { Fn(pointer); }
};
using SslPtr = std::unique_ptr<SSL, Free<SSL_free>>;
using ContextPtr = std::unique_ptr<SSL_CTX, Free<SSL_CTX_free>>;
using BioPtr = std::unique_ptr<BIO, Free<BIO_free>>;
using X509Ptr = std::unique_ptr<X509, Free<X509_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;

constexpr std::size_t kTlsRecord = 16 * 1024;
constexpr std::size_t kMaxPieces = 64;

/// The newest entry of OpenSSL's queue, which is emptied.
std::string openssl_reason() {
  const unsigned long code = ERR_peek_last_error();
  ERR_clear_error();
  if (code == 0)
    return "no reason given";
  const char *reason = ERR_reason_error_string(code);
  return reason ? reason : "OpenSSL error " + std::to_string(code);
}

tl::unexpected<Error> fail_tls(const std::string &doing) {
  return fail(Errc::invalid_input, doing + ": " + openssl_reason());
}

// A socket BIO that never raises SIGPIPE; OpenSSL's own calls write(2).
int bio_fd(BIO *bio) {
  return static_cast<int>(reinterpret_cast<std::intptr_t>(BIO_get_data(bio)));
}

int after_call(BIO *bio, ssize_t count) {
  BIO_clear_retry_flags(bio);
  return count >= 0 ? static_cast<int>(count) : -1;
}

int bio_write(BIO *bio, const char *data, int size) {
  const ssize_t sent = ::send(bio_fd(bio), data, static_cast<std::size_t>(size), MSG_NOSIGNAL);
  const int result = after_call(bio, sent);
  if (sent < 0 && (errno == EAGAIN || errno == EINTR))
    BIO_set_retry_write(bio);
  return result;
}

int bio_read(BIO *bio, char *data, int size) {
  const ssize_t got = ::recv(bio_fd(bio), data, static_cast<std::size_t>(size), 0);
  const int result = after_call(bio, got);
  if (got < 0 && (errno == EAGAIN || errno == EINTR))
    BIO_set_retry_read(bio);
  if (got == 0)
    BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
  return result;
}

long bio_control(BIO *bio, int command, long, void *) {
  if (command == BIO_CTRL_EOF)
    return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0 ? 1 : 0;
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

const BIO_METHOD *socket_method() {
  static const BIO_METHOD *method = [] {
    BIO_METHOD *made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "sluice socket");
    BIO_meth_set_write(made, bio_write);
    BIO_meth_set_read(made, bio_read);
    BIO_meth_set_ctrl(made, bio_control);
    return made;
  }();
  return method;
}

BIO *socket_bio(int fd) {
  BIO *bio = BIO_new(socket_method());
  BIO_set_data(bio, reinterpret_cast<void *>(static_cast<std::intptr_t>(fd)));
  BIO_set_init(bio, 1);
  return bio;
}

ContextPtr new_context(const SSL_METHOD *method) {
  ContextPtr context(SSL_CTX_new(method));
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_mode(context.get(), SSL_MODE_ENABLE_PARTIAL_WRITE |
                                      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                      SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_options(context.get(),
                      SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  return context;
}

BioPtr memory_bio(const std::string &text) {
  return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

X509Ptr next_certificate(const BioPtr &bio) {
  return X509Ptr(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
}

Result<> add_authorities(SSL_CTX *context, const std::string &pem) {
  const BioPtr bio = memory_bio(pem);
  std::size_t count = 0;
  for (; const X509Ptr certificate = next_certificate(bio); ++count)
    X509_STORE_add_cert(SSL_CTX_get_cert_store(context), certificate.get());
  ERR_clear_error(); // the end of the text is an error to PEM_read
  if (count == 0)
    return fail(Errc::invalid_input, "read the certificate authority: no certificate (PEM) in it");
  return {};
}

Result<> use_identity(SSL_CTX *context, const TlsContext::Client &pem) {
  const BioPtr chain = memory_bio(pem.certificate);
  const X509Ptr leaf = next_certificate(chain);
  if (!leaf || SSL_CTX_use_certificate(context, leaf.get()) != 1)
    return fail_tls("read the client certificate");
  while (const X509Ptr extra = next_certificate(chain))
    SSL_CTX_add1_chain_cert(context, extra.get());
  ERR_clear_error();
  const BioPtr key_text = memory_bio(pem.key);
  const KeyPtr key(PEM_read_bio_PrivateKey(key_text.get(), nullptr, nullptr, nullptr));
  if (!key || SSL_CTX_use_PrivateKey(context, key.get()) != 1)
    return fail_tls("read the client key");
  return {};
}

std::string entry_text(X509_NAME *name, int index) {
  const ASN1_STRING *data = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, index));
  return {reinterpret_cast<const char *>(ASN1_STRING_get0_data(data)),
          static_cast<std::size_t>(ASN1_STRING_length(data))};
}

std::vector<std::string> subject_entries(SSL *ssl, int nid) {
  std::vector<std::string> found;
  const X509Ptr certificate(ssl ? SSL_get1_peer_certificate(ssl) : nullptr);
  if (!certificate || SSL_get_verify_result(ssl) != X509_V_OK)
    return found;
  X509_NAME *name = X509_get_subject_name(certificate.get());
  for (int at = -1; (at = X509_NAME_get_index_by_NID(name, nid, at)) >= 0;)
    found.push_back(entry_text(name, at));
  return found;
}

} // namespace

struct TlsContext::Impl {
  ContextPtr context;
  bool server = false;
  bool verify = true;
};

TlsContext::TlsContext(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TlsContext::~TlsContext() = default;

Result<std::shared_ptr<const TlsContext>> TlsContext::server(const Server &files) {
  auto impl = std::make_unique<Impl>(Impl{new_context(TLS_server_method()), true, false});
  SSL_CTX *context = impl->context.get();
  if (SSL_CTX_use_certificate_chain_file(context, files.certificateFile.c_str()) != 1)
    return fail_tls("read the server certificate \"" + files.certificateFile + "\"");
  if (SSL_CTX_use_PrivateKey_file(context, files.keyFile.c_str(), SSL_FILETYPE_PEM) != 1)
    return fail_tls("read the server key \"" + files.keyFile + "\"");
  if (SSL_CTX_check_private_key(context) != 1)
    return fail_tls("match the key \"" + files.keyFile + "\" with its certificate");
  if (!files.clientCaFile.empty()) {
    if (SSL_CTX_load_verify_file(context, files.clientCaFile.c_str()) != 1)
      return fail_tls("read the client certificate authority \"" + files.clientCaFile + "\"");
    SSL_CTX_set_client_CA_list(context, SSL_load_client_CA_file(files.clientCaFile.c_str()));
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  }
  SSL_CTX_set_alpn_select_cb(
      context,
      [](SSL *, const unsigned char **out, unsigned char *size, const unsigned char *offered,
         unsigned int offered_size, void *) {
        static constexpr unsigned char kHttp11[] = "\x08http/1.1";
        return SSL_select_next_proto(const_cast<unsigned char **>(out), size, kHttp11,
                                     sizeof kHttp11 - 1, offered,
                                     offered_size) == OPENSSL_NPN_NEGOTIATED
                   ? SSL_TLSEXT_ERR_OK
                   : SSL_TLSEXT_ERR_NOACK;
      },
      nullptr);
  return std::shared_ptr<const TlsContext>(new TlsContext(std::move(impl)));
}

Result<std::shared_ptr<const TlsContext>> TlsContext::client(const Client &pem) {
  auto impl = std::make_unique<Impl>(Impl{new_context(TLS_client_method()), false, pem.verify});
  SSL_CTX *context = impl->context.get();
  if (pem.authorities.empty())
    SSL_CTX_set_default_verify_paths(context);
  else
    SLUICE_TRY(add_authorities(context, pem.authorities), "set up TLS");
  if (!pem.certificate.empty())
    SLUICE_TRY(use_identity(context, pem), "set up TLS");
  SSL_CTX_set_verify(context, pem.verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
  return std::shared_ptr<const TlsContext>(new TlsContext(std::move(impl)));
}

struct Transport::Ssl {
  std::shared_ptr<const TlsContext> context; // the certificates live as long as the session
  SslPtr ssl;
};

Transport::Transport(UniqueFd socket) : socket_(std::move(socket)), error_(Errc::io, "no error") {}

Transport::Transport(UniqueFd socket, std::shared_ptr<const TlsContext> tls,
                     const std::string &peer_name)
    : Transport(std::move(socket)) {
  SslPtr ssl(SSL_new(tls->impl_->context.get()));
  BIO *bio = socket_bio(socket_.get());
  SSL_set_bio(ssl.get(), bio, bio);
  if (tls->impl_->server) {
    SSL_set_accept_state(ssl.get());
  } else {
    SSL_set_connect_state(ssl.get());
    // RFC 6066: no SNI for an address; its certificate names it as an IP.
    if (IpAddress::parse(peer_name)) {
      X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl.get()), peer_name.c_str());
    } else {
      SSL_set_tlsext_host_name(ssl.get(), peer_name.c_str());
      SSL_set1_host(ssl.get(), peer_name.c_str());
    }
  }
  tls_ = std::make_unique<Ssl>(Ssl{std::move(tls), std::move(ssl)});
}

Transport::~Transport() = default;
Transport::Transport(Transport &&) noexcept = default;

Io Transport::fail_errno(int err, std::string_view doing) {
  if (err == EAGAIN || err == EINTR)
    return {doing == "send" ? Io::What::want_write : Io::What::want_read};
  error_ = Error::from_errno(err, doing);
  return {Io::What::failed};
}

Io Transport::tls_result(int result, std::string_view doing) {
  if (result > 0)
    return {Io::What::bytes, static_cast<std::size_t>(result)};
  const int err = errno;
  switch (SSL_get_error(tls_->ssl.get(), result)) {
  case SSL_ERROR_WANT_READ:
    return {Io::What::want_read};
  case SSL_ERROR_WANT_WRITE:
    return {Io::What::want_write};
  case SSL_ERROR_ZERO_RETURN:
    ERR_clear_error();
    return {Io::What::end};
  case SSL_ERROR_SYSCALL:
    if (ERR_peek_error() == 0) {
      error_ = err != 0 ? Error::from_errno(err, doing)
                        : Error(Errc::unavailable, std::string(doing) + ": connection closed");
      return {Io::What::failed};
    }
    break;
  default:
    break;
  }
  peer_spoke_http_ = ERR_GET_REASON(ERR_peek_last_error()) == SSL_R_HTTP_REQUEST;
  const long verified = SSL_get_verify_result(tls_->ssl.get());
  std::string reason = openssl_reason();
  if (verified != X509_V_OK)
    reason += std::string(": ") + X509_verify_cert_error_string(verified);
  error_ = Error(Errc::unavailable, std::string(doing) + ": " + reason);
  return {Io::What::failed};
}

Io Transport::handshake() {
  if (!tls_)
    return {Io::What::bytes, 1};
  ERR_clear_error();
  errno = 0;
  return tls_result(SSL_do_handshake(tls_->ssl.get()), "TLS handshake");
}

Io Transport::read(std::span<char> into) {
  if (tls_) {
    ERR_clear_error();
    errno = 0;
    return tls_result(SSL_read(tls_->ssl.get(), into.data(), static_cast<int>(into.size())),
                      "TLS read");
  }
  const ssize_t got = ::recv(socket_.get(), into.data(), into.size(), 0);
  if (got > 0)
    return {Io::What::bytes, static_cast<std::size_t>(got)};
  return got == 0 ? Io{Io::What::end} : fail_errno(errno, "receive");
}

Io Transport::write(std::span<const std::string_view> pieces) {
  return tls_ ? write_tls(pieces) : write_plain(pieces);
}

Io Transport::write_plain(std::span<const std::string_view> pieces) {
  std::array<iovec, kMaxPieces> vectors;
  const std::size_t count = std::min(pieces.size(), kMaxPieces);
  for (std::size_t i = 0; i < count; ++i)
    vectors[i] = {const_cast<char *>(pieces[i].data()), pieces[i].size()};
  msghdr message{};
  message.msg_iov = vectors.data();
  message.msg_iovlen = count;
  const ssize_t sent = ::sendmsg(socket_.get(), &message, MSG_NOSIGNAL);
  return sent >= 0 ? Io{Io::What::bytes, static_cast<std::size_t>(sent)}
                   : fail_errno(errno, "send");
}

Io Transport::write_tls(std::span<const std::string_view> pieces) {
  // Small pieces share one record; a large one goes out of its own memory.
  std::array<char, kTlsRecord> record;
  std::string_view out = pieces.front();
  if (out.size() < kTlsRecord && pieces.size() > 1) {
    std::size_t filled = 0;
    for (const std::string_view piece : pieces) {
      const std::size_t part = std::min(piece.size(), record.size() - filled);
      std::memcpy(record.data() + filled, piece.data(), part);
      filled += part;
      if (filled == record.size())
        break;
    }
    out = {record.data(), filled};
  }
  out = out.substr(0, kTlsRecord);
  ERR_clear_error();
  errno = 0;
  return tls_result(SSL_write(tls_->ssl.get(), out.data(), static_cast<int>(out.size())),
                    "TLS write");
}

void Transport::shutdown() noexcept {
  if (tls_ && SSL_is_init_finished(tls_->ssl.get()))
    SSL_shutdown(tls_->ssl.get());
  ERR_clear_error();
}

std::string Transport::peer_common_name() const {
  const auto names = subject_entries(tls_ ? tls_->ssl.get() : nullptr, NID_commonName);
  return names.empty() ? std::string() : names.back();
}

std::vector<std::string> Transport::peer_organizations() const {
  return subject_entries(tls_ ? tls_->ssl.get() : nullptr, NID_organizationName);
}

} // namespace sluice::kube::http
