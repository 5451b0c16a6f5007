// One data plane takes another one's place: while both stand, and while the first one drains, every
// new connection does what the model says, and what was open goes on. From each to each.

#include "integration/packets/questions.hpp"

#include <gtest/gtest.h>

namespace sluice::integration::packets {
namespace {

using namespace std::chrono_literals;
using proxy::cases::Line;

/// Answered; then refused (without endpoints; a clusterIP without the port) and dropped. Over UDP,
/// since connect(2) hears of a refusal over IPv6 with its second SYN, after a second.
constexpr const char *kQuestions[] = {"P->C",      "N->C",         "X->LB",      "X->n1:NP",
                                      "P->C2/UDP", "P->C:443/UDP", "X->LB2/UDP", "P->FREE/UDP"};

bool is_udp(const std::string &question) { return question.find("/UDP") != std::string::npos; }

bool is_possible(const Plane &plane) { return !plane.missing || !plane.missing(); }

/// One change, in one family.
class Change {
public:
  Change(Bench &bench, Family as) : bench_(bench), stage_(bench, as) {}

  void begin() {
    stage_.leave_flows();
    must(stage_.begin());
    must(stage_.obey(line_of("set NONE type=LoadBalancer clusterIPs=C2 ports=p/UDP/80 lb=LB2")));
    must(stage_.sync());
  }

  void start_again() {
    for (const auto family : proxy::cases::kFamilies)
      must(bench_.start(stage_.world().model(family).table()));
  }

  /// `keep`: the connections stay open.
  void ask_all(const std::string &when, bool keep = false) {
    for (const std::string text : kQuestions)
      for (int tries = is_udp(text) ? 1 : 4; tries > 0; --tries)
        put(text, when, keep);
  }

  void all_go_on(const std::string &when) {
    for (auto &[question, connection] : open_)
      EXPECT_TRUE(echoes(connection.get(), "still here")) << question << ", " << when;
  }

  void hang_up() { open_.clear(); }

private:
  static void must(const Result<> &done) { ASSERT_TRUE(done) << done.error().what(); }

  static Line line_of(const std::string &text) {
    return proxy::cases::parse({"change", 1, "scenario change\n" + text})->front().lines.front();
  }

  void put(const std::string &text, const std::string &when, bool keep) {
    const auto probe = stage_.world().probe(text).value();
    const auto answer = stage_.world().answer(probe);
    const Expectation expected(stage_.world(), bench_.net(), probe, answer);
    const auto &flow = probe.flow;
    auto got = ask({&bench_.net().host_of(probe.from),
                    {flow.source, bench_.fresh_port()},
                    {flow.destination, flow.destinationPort},
                    flow.protocol},
                   expected.patience());
    if (const auto wrong = expected.check(got))
      ADD_FAILURE() << text << " " << answer << ", " << when << ": " << *wrong;
    if (keep && got.connection)
      open_.emplace_back(text, std::move(got.connection));
  }

  Bench &bench_;
  Stage stage_;
  std::vector<std::pair<std::string, UniqueFd>> open_;
};

class changes : public testing::TestWithParam<std::pair<std::string, std::string>> {
protected:
  static Plane plane(const std::string &name) {
    for (auto &plane : planes())
      if (plane.name == name)
        return plane;
    return {};
  }
};

TEST_P(changes, while_both_stand_and_while_one_drains_every_packet_does_what_the_model_says) {
  const auto from = plane(GetParam().first), to = plane(GetParam().second);
  for (const auto &one : {from, to})
    if (!is_possible(one))
      GTEST_SKIP() << *one.missing();
  auto made = Bench::create(from);
  ASSERT_TRUE(made) << made.error().what();
  auto &bench = **made;
  for (const auto family : proxy::cases::kFamilies) {
    SCOPED_TRACE(name_of(family));
    ASSERT_TRUE(bench.replace(from));
    Change change(bench, family);
    change.begin();
    change.ask_all("before", true);
    ASSERT_TRUE(bench.join(to));
    change.start_again();
    change.ask_all("while both stand", true);
    change.all_go_on("while both stand");
    const auto left = bench.leave();
    ASSERT_TRUE(left) << left.error().what();
    change.ask_all("while " + from.name + " drains");
    change.all_go_on("while " + from.name + " drains");
    change.hang_up();
    Result<bool> gone = *left;
    for (const auto end = std::chrono::steady_clock::now() + 30s;
         gone && !*gone && std::chrono::steady_clock::now() < end;) {
      std::this_thread::sleep_for(20ms);
      gone = bench.leave();
    }
    EXPECT_TRUE(gone && *gone) << "nobody needs " << from.name << " any more";
    change.ask_all("after");
  }
}

std::vector<std::pair<std::string, std::string>> pairs() {
  std::vector<std::pair<std::string, std::string>> out;
  for (const auto &from : planes())
    for (const auto &to : planes())
      if (from.name != to.name)
        out.emplace_back(from.name, to.name);
  return out;
}

INSTANTIATE_TEST_SUITE_P(dataplanes, changes, testing::ValuesIn(pairs()), [](const auto &pair) {
  auto text = pair.param.first + "_to_" + pair.param.second;
  std::replace(text.begin(), text.end(), '-', '_');
  return text;
});

} // namespace
} // namespace sluice::integration::packets
