#pragma once
// The Kubernetes API over HTTP: who is it, may it do that, then the handler (api/call.hpp).

#include "controlplane/api/call.hpp"
#include "controlplane/api/workers.hpp"

namespace sluice::controlplane {

class ApiServer {
public:
  struct Options {
    unsigned workers = 8;
    kube::http::ServerOptions http;
    std::string advertised; ///< "10.0.0.1:6443", for GET /api; empty: where it listens
  };
  /// Serves from now to destruction. `registry` and `tokens` outlive it. To stop: close the
  /// registry first, so that watches end properly.
  static Result<std::unique_ptr<ApiServer>> start(Registry &registry, const TokenIssuer &tokens,
                                                  Options options);
  ~ApiServer();
  const std::vector<SocketAddress> &addresses() const noexcept;

private:
  ApiServer(Registry &registry, const TokenIssuer &tokens, Options &options);
  void answer(const std::shared_ptr<kube::http::Exchange> &exchange);

  Services services_;
  std::unique_ptr<Workers> workers_;
  std::unique_ptr<kube::http::Server> server_;
};

/// Everything but watches and who it is; a plain function for tests.
Answer answer_call(const Call &call);

} // namespace sluice::controlplane
