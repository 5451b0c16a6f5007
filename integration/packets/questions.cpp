#include "integration/packets/questions.hpp"

#include "integration/packets/sockets.hpp"

#include <cerrno>
#include <cmath>
#include <poll.h>

namespace sluice::integration::packets {
namespace {

using namespace std::chrono_literals;
using proxy::cases::find_place;
using proxy::cases::Reached;
using Clock = std::chrono::steady_clock;

/// Long enough that an answer would have come, short enough to be asked a hundred times.
constexpr auto kSilence = 300ms;
constexpr auto kPatience = 5000ms;

bool holds(const std::vector<IpAddress> &list, const IpAddress &ip) {
  return std::find(list.begin(), list.end(), ip) != list.end();
}

std::string in_milliseconds(Clock::duration time) {
  return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(time).count()) +
         " ms";
}

/// Which of the clients is elsewhere now.
std::string changed(const std::vector<std::string> &first, const std::vector<std::string> &again) {
  std::string text;
  for (std::size_t i = 0; i < first.size(); ++i)
    if (first[i] != again[i])
      text += (text.empty() ? "client " : ", client ") + std::to_string(i) + " went from " +
              first[i] + " to " + again[i];
  return text;
}

bool ends_with(const std::string &text, const std::string &end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

} // namespace

// ---- what is expected -------------------------------------------------------------------------

Expectation::Expectation(const proxy::cases::World &world, const Net &net,
                         const proxy::cases::Probe &probe, const std::string &answer)
    : world_(world), net_(net), probe_(probe), said_(answer), text_(world.canonical(answer)) {
  endpoints_ = proxy::cases::reached_of(text_).value_or(std::vector<Reached>{});
}

std::chrono::milliseconds Expectation::patience() const noexcept {
  return text_ == "DROP" ? std::chrono::milliseconds(kSilence) : kPatience;
}

Verdict Expectation::check(const Answer &answer, std::string *reached) const {
  const auto wrong = [&] { return Verdict("expected " + said_ + ", got " + answer.str()); };
  if (text_ == "DROP")
    return answer.kind == Answer::Kind::silent ? std::nullopt : wrong();
  if (text_ == "REJECT")
    return answer.kind == Answer::Kind::unreachable ? std::nullopt : wrong();
  if (answer.kind == Answer::Kind::answered)
    return check_answered(answer, reached);
  const bool closed = answer.kind == Answer::Kind::closed ||
                      (answer.kind == Answer::Kind::unreachable &&
                       answer.detail == "from " + probe_.flow.destination.str());
  for (const auto &endpoint : endpoints_)
    if (closed && ends_with(endpoint.name, ":9")) {
      if (reached)
        *reached = endpoint.name;
      return std::nullopt;
    }
  return wrong();
}

Verdict Expectation::check_answered(const Answer &answer, std::string *reached) const {
  const auto wrong = [&] { return Verdict("expected " + said_ + ", got " + answer.str()); };
  const auto &identity = answer.identity;
  if (untouched()) {
    const SocketAddress asked{probe_.flow.destination, probe_.flow.destinationPort};
    return identity.at == asked && identity.from == answer.client ? std::nullopt : wrong();
  }
  const auto port = identity.at.port;
  const auto name = world_.book().name_of(identity.at.ip) +
                    (port.value == 80 ? "" : ":" + std::to_string(port.value));
  for (const auto &endpoint : endpoints_) {
    if (endpoint.name != name)
      continue;
    if (reached)
      *reached = name;
    const bool kept = identity.from.ip == answer.client.ip;
    const bool of_node = holds(net_.node_addresses(), identity.from.ip);
    const bool asked_by_node = holds(net_.node_addresses(), answer.client.ip);
    // What n1 itself receives passes no postrouting, and its answers need no masquerade.
    const bool on_node = holds(net_.node_addresses(), identity.at.ip);
    const bool right =
        endpoint.masqueraded ? on_node || (of_node && (!kept || asked_by_node)) : kept;
    return right ? std::nullopt : wrong();
  }
  return wrong();
}

// ---- a load -----------------------------------------------------------------------------------

Load::Load(Ask what) : ask_(std::move(what)) {
  thread_ = std::thread([this] {
    while (!done_) {
      const auto next = Clock::now() + 50ms;
      const auto got = ask(ask_, kPatience);
      ++count_;
      if (got.kind != Answer::Kind::answered && failure_.empty())
        failure_ = "connection " + std::to_string(count_) + ": " + got.str();
      std::this_thread::sleep_until(next);
    }
  });
}

Load::~Load() { stop(); }

std::string Load::stop() {
  done_ = true;
  if (thread_.joinable())
    thread_.join();
  if (failure_.empty() && count_ == 0)
    return "there was no connection at all";
  return failure_;
}

// ---- questions --------------------------------------------------------------------------------

Questioner::Questioner(Bench &bench, const proxy::cases::World &world,
                       const proxy::cases::Line &line, const std::string &question)
    : bench_(bench), world_(world), line_(line), question_(question),
      probe_(world.probe(question)) {
  if (probe_)
    expected_.emplace(world, bench.net(), *probe_, line.answer);
}

Ask Questioner::fresh(int client) {
  const auto &flow = probe_->flow;
  Ask what{&bench_.net().host_of(probe_->from),
           {flow.source, Port(0)},
           {flow.destination, flow.destinationPort},
           flow.protocol,
           bench_.sctp()};
  if (client >= 0)
    what.from.ip = Net::client(probe_->from, client, flow.source.family()).value();
  if (line_.verb == "from")
    what.from.port = parse_port(line_.words.at(0)).value();
  else
    what.from.port = port ? *port : bench_.fresh_port();
  return what;
}

Verdict Questioner::put() {
  if (!probe_)
    return probe_.error().what();
  const auto &verb = line_.verb;
  if (verb.empty())
    return plain();
  if (verb == "from" || verb == "open" || verb == "beside")
    return one();
  if (verb == "at-once") // a second SYN follows after one second
    return one(world_.family_of(question_) == Family::ipv4 ? 950ms : 1950ms);
  if (verb == "load") {
    auto what = fresh();
    what.from.port = Port(0);
    load = std::make_unique<Load>(std::move(what));
    return std::nullopt;
  }
  if (verb == "balanced")
    return balanced();
  if (verb == "shuffled")
    return shuffled();
  if (verb == "moves")
    return moves();
  if (verb == "closes")
    return ends(kPleaseClose);
  if (verb == "resets")
    return ends(kPleaseReset);
  if (verb == "sticks" || verb == "sticks-on")
    return sticks();
  if (verb == "forgets")
    return forgets();
  if (verb == "remembers")
    return remembers();
  return "no question is called \"" + verb + "\"";
}

Verdict Questioner::one(std::chrono::milliseconds limit) {
  auto got = ask(fresh(), expected_->patience());
  if (auto wrong = expected_->check(got))
    return wrong;
  if (got.took > limit)
    return "it took " + std::to_string(got.took.count()) + " ms";
  connection = std::move(got.connection);
  return std::nullopt;
}

/// Until every endpoint was seen. With uniform picks, the chance that one of four is not seen in
/// 120 tries is 4 * (3/4)^120 < 1e-14; at least eight tries, so that one too many shows.
Verdict Questioner::plain() {
  if (expected_->size() < 2)
    return one();
  if (expected_->size() > 8)
    return sample();
  std::set<std::string> seen;
  for (int tries = 0; tries < 120; ++tries) {
    if (tries >= 8 && seen.size() == expected_->size())
      return std::nullopt;
    std::string name;
    if (auto wrong = expected_->check(ask(fresh(), expected_->patience()), &name))
      return wrong;
    seen.insert(name);
  }
  return "of them only " + std::to_string(seen.size()) + " were reached";
}

/// Of many endpoints: 300 tries reach about n (1 - (1 - 1/n)^300) of them; six tenths of that are
/// more than ten standard deviations away.
Verdict Questioner::sample() {
  constexpr int kTries = 300;
  std::set<std::string> seen;
  for (int tries = 0; tries < kTries; ++tries) {
    std::string name;
    if (auto wrong = expected_->check(ask(fresh(), expected_->patience()), &name))
      return wrong;
    seen.insert(name);
  }
  const auto n = static_cast<double>(expected_->size());
  const double expected = n * (1 - std::pow(1 - 1 / n, kTries));
  if (static_cast<double>(seen.size()) < 0.6 * expected)
    return "only " + std::to_string(seen.size()) + " endpoints were reached in 300 tries";
  return std::nullopt;
}

/// 400 tries, each of two endpoints 35 to 65 %: six standard deviations, 2e-9.
Verdict Questioner::balanced() {
  constexpr int kTries = 400;
  std::map<std::string, int> seen;
  for (int tries = 0; tries < kTries; ++tries) {
    std::string name;
    if (auto wrong = expected_->check(ask(fresh(), expected_->patience()), &name))
      return wrong;
    ++seen[name];
  }
  for (const auto &endpoint : expected_->endpoints())
    if (seen[endpoint.name] < kTries * 35 / 100 || seen[endpoint.name] > kTries * 65 / 100)
      return endpoint.name + " got " + std::to_string(seen[endpoint.name]) + " of 400";
  return std::nullopt;
}

/// Fifty in a row of source ports: that random ones are in order has the chance 1/50!.
Verdict Questioner::shuffled() {
  std::vector<std::uint16_t> ports;
  for (std::uint16_t i = 0; i < 50; ++i) {
    auto what = fresh();
    what.from.port = Port(static_cast<std::uint16_t>(40000 + i));
    const auto got = ask(what, expected_->patience());
    if (auto wrong = expected_->check(got))
      return wrong;
    ports.push_back(got.identity.from.port.value);
  }
  if (std::is_sorted(ports.begin(), ports.end()))
    return "the masqueraded source ports keep the order of the client's";
  return std::nullopt;
}

/// So many MB there and back through a hundred connections that are open at once.
Verdict Questioner::moves() {
  constexpr std::size_t kConnections = 100, kPiece = 32 * 1024;
  const auto megabytes = static_cast<std::size_t>(std::stoul(line_.words.at(0)));
  std::vector<UniqueFd> open;
  for (std::size_t i = 0; i < kConnections; ++i) {
    auto got = ask(fresh(), expected_->patience());
    if (auto wrong = expected_->check(got))
      return wrong;
    open.push_back(std::move(got.connection));
  }
  const auto rounds = megabytes * 1024 * 1024 / (kConnections * kPiece);
  for (std::size_t round = 0; round < rounds; ++round)
    for (std::size_t i = 0; i < kConnections; ++i) {
      std::string piece(kPiece, 'x');
      for (std::size_t at = 0; at < kPiece; ++at)
        piece[at] = static_cast<char>('a' + (at * 7 + i + round) % 26);
      if (!echoes(open[i].get(), piece))
        return "connection " + std::to_string(i) + " broke in round " + std::to_string(round);
    }
  return std::nullopt;
}

Verdict Questioner::ends(char how) {
  auto got = ask(fresh(), expected_->patience());
  if (auto wrong = expected_->check(got))
    return wrong;
  ::send(got.connection.get(), &how, 1, MSG_NOSIGNAL);
  if (wait_for(got.connection.get(), POLLIN, 5000) == 0)
    return "the end did not arrive";
  char byte = 0;
  const auto end = ::recv(got.connection.get(), &byte, 1, 0);
  const bool right = how == kPleaseClose ? end == 0 : end < 0 && errno == ECONNRESET;
  return right ? std::nullopt : Verdict("the connection ended in another way");
}

// ---- session affinity: 32 clients each, so that chance lets all choose alike once in 2^31 ------

std::chrono::seconds Questioner::affinity() const {
  const auto service = world_.services().find({"ns1", "S"});
  return std::chrono::seconds(service->second.affinityTimeoutSeconds);
}

Verdict Questioner::ask_clients(std::vector<std::string> &reached, bool backwards) {
  reached.assign(Net::kClients, "");
  for (int turn = 0; turn < Net::kClients; ++turn) {
    const int client = backwards ? Net::kClients - 1 - turn : turn;
    auto &name = reached[static_cast<std::size_t>(client)];
    if (auto wrong = expected_->check(ask(fresh(client), expected_->patience()), &name))
      return wrong;
  }
  return std::nullopt;
}

Verdict Questioner::ask_at_once(std::vector<std::string> &reached, int clients) {
  reached.assign(static_cast<std::size_t>(clients), "");
  std::vector<Ask> asks;
  for (int client = 0; client < clients; ++client)
    asks.push_back(fresh(client));
  std::vector<Verdict> wrong(asks.size());
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < asks.size(); ++i)
    threads.emplace_back(
        [&, i] { wrong[i] = expected_->check(ask(asks[i], expected_->patience()), &reached[i]); });
  for (auto &thread : threads)
    thread.join();
  for (auto &one : wrong)
    if (one)
      return one;
  return std::nullopt;
}

Verdict Questioner::sticks() {
  std::vector<std::string> first, again;
  if (auto wrong = ask_clients(first))
    return wrong;
  for (int round = 0; round < 3; ++round) {
    if (auto wrong = ask_clients(again))
      return wrong;
    if (first != again)
      return changed(first, again);
  }
  const std::set<std::string> all(first.begin(), first.end());
  if (all.size() < std::min<std::size_t>(2, expected_->size()))
    return "all clients have the same endpoint";
  return std::nullopt;
}

Verdict Questioner::forgets() {
  std::vector<std::string> before, after;
  if (auto wrong = ask_clients(before))
    return wrong;
  std::this_thread::sleep_for(affinity() + 500ms);
  // Round robin would give each client in the same order what it had.
  if (auto wrong = ask_clients(after, true))
    return wrong;
  return before == after ? Verdict("every client still has its endpoint") : std::nullopt;
}

/// Twice the time in steps of a half. A step that came too late on a busy machine says nothing: it
/// begins anew, with fewer clients.
Verdict Questioner::remembers() {
  const auto end = Clock::now() + 60s;
  for (int clients = Net::kClients;; clients = std::max(4, clients / 2)) {
    std::vector<std::string> first, again;
    auto last = Clock::now();
    Clock::duration gap{};
    if (auto wrong = ask_at_once(first, clients))
      return wrong;
    for (int step = 0; step < 4 && gap < affinity() - 100ms; ++step) {
      std::this_thread::sleep_until(last + affinity() / 2);
      const auto begin = Clock::now();
      if (auto wrong = ask_at_once(again, clients))
        return wrong;
      gap = Clock::now() - std::exchange(last, begin);
      if (gap < affinity() - 100ms && first != again)
        return changed(first, again) + ", at most " + in_milliseconds(gap) +
               " after its last connection";
    }
    if (gap < affinity() - 100ms)
      return std::nullopt;
    if (Clock::now() > end)
      return "this machine is too slow: " + in_milliseconds(gap) +
             " between two connections of a client";
  }
}

} // namespace sluice::integration::packets
