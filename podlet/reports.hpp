#pragma once
// What the podlet tells the API server about its pods. Told once, said until it is heard: an API
// server that is away delays the news and loses none but events.

#include "kube/api_client.hpp"
#include "net/mailbox.hpp"

#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <thread>

namespace sluice::podlet {

/// Thread-safe.
class Reports {
public:
  virtual ~Reports() = default;
  /// A merge patch for the status of the pod; a newer one replaces one that was not sent yet.
  virtual void status(const kube::ObjectKey &pod, const std::string &uid, std::string patch) = 0;
  /// `type` is Normal or Warning.
  virtual void event(const kube::Pod &pod, const std::string &type, const std::string &reason,
                     const std::string &message) = 0;
  /// The pod has ended here: its object may go (DELETE with no grace, if it still has that uid).
  virtual void gone(const kube::ObjectKey &pod, const std::string &uid) = 0;
};

/// Sends from a thread of its own until destruction. `client` outlives it.
class ApiReports final : public Reports {
public:
  ApiReports(kube::ApiClient &client, std::string node_name);
  ~ApiReports() override;
  void status(const kube::ObjectKey &pod, const std::string &uid, std::string patch) override;
  void event(const kube::Pod &pod, const std::string &type, const std::string &reason,
             const std::string &message) override;
  void gone(const kube::ObjectKey &pod, const std::string &uid) override;

private:
  struct News {
    kube::ObjectKey pod;
    std::string uid, patch, event;
    bool gone = false;
  };
  /// What is still to be said about one pod.
  struct Pending {
    kube::ObjectKey pod;
    std::string patch;
    bool gone = false;
  };

  void run();
  void take(News news);
  void send_all();
  Result<> send(const std::string &uid, Pending &pending);
  void send_event(const News &news);

  kube::ApiClient &client_;
  std::string node_name_;
  Mailbox<News> mailbox_;
  std::map<std::string, Pending> pending_; ///< by uid; of `thread_` alone
  std::thread thread_;
};

} // namespace sluice::podlet
