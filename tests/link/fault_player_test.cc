#include "link/fault_player.h"

#include <boost/test/unit_test.hpp>

#include "base/manual_clock.h"

using namespace usbtwin;         // NOLINT
using namespace usbtwin::fault;  // NOLINT
using namespace std::chrono_literals;

namespace {

// Goes through all there is to choose, in order.
class RoundChooser final : public Chooser {
 public:
  uint64_t Choose(uint64_t bound, std::string_view) override { return next_++ % bound; }

 private:
  uint64_t next_ = 0;
};

struct Stage {
  void Make(std::vector<Rule> rules) { player.emplace(clock, chooser, Plan{std::move(rules)}); }
  bool Draw(Moment moment = Moment::kDataIn, uint8_t endpoint = 0x81,
            const CommandContext* command = nullptr) {
    return player->Draw({.moment = moment, .endpoint = endpoint, .command = command}) != nullptr;
  }
  // At which of so many occasions something was played, counted from 1.
  std::vector<int> Played(int count) {
    std::vector<int> played;
    for (int occasion = 1; occasion <= count; ++occasion) {
      if (Draw()) played.push_back(occasion);
    }
    return played;
  }
  void CheckPlayed(int count, const std::vector<int>& expected) {
    BOOST_TEST(Played(count) == expected, boost::test_tools::per_element());
  }

  ManualClock clock;
  RoundChooser chooser;
  std::optional<Player> player;
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(fault_player, Stage)

BOOST_AUTO_TEST_CASE(an_empty_plan_watches_nothing) {
  Make({});
  for (size_t moment = 0; moment < kMomentsCount; ++moment) {
    BOOST_TEST(!player->watches(static_cast<Moment>(moment)));
  }
  BOOST_TEST(!Draw());
}

BOOST_AUTO_TEST_CASE(a_kind_is_drawn_at_its_own_moments_only) {
  Make({{.kind = Kind::kShortIn}});
  BOOST_TEST(player->watches(Moment::kDataIn));
  BOOST_TEST(!player->watches(Moment::kDataOut));
  BOOST_TEST(!Draw(Moment::kDataOut));
  BOOST_TEST(Draw());
}

BOOST_AUTO_TEST_CASE(nth_is_the_first_and_then_each) {
  Make({{.kind = Kind::kFault, .nth = 3}});
  CheckPlayed(6, {3, 4, 5, 6});
}

BOOST_AUTO_TEST_CASE(times_bounds_them) {
  Make({{.kind = Kind::kFault, .nth = 2, .times = 2}});
  CheckPlayed(6, {2, 3});
}

BOOST_AUTO_TEST_CASE(one_in_is_the_mean) {
  Make({{.kind = Kind::kFault, .one_in = 10}});
  const std::vector<int> played = Played(19'000);
  BOOST_TEST(played.size() == 1900u);
  BOOST_TEST(played.front() == 1);
}

BOOST_AUTO_TEST_CASE(time_bounds_them) {
  Make({{.kind = Kind::kFault, .after = 2s, .until = 3s}});
  clock.Advance(1s);
  BOOST_TEST(!Draw());
  clock.Advance(1s);
  BOOST_TEST(Draw());
  clock.Advance(1s);
  BOOST_TEST(Draw());
  clock.Advance(1ms);
  BOOST_TEST(!Draw());
}

BOOST_AUTO_TEST_CASE(time_counts_from_when_the_player_was_made) {
  clock.Advance(10s);
  Make({{.kind = Kind::kFault, .after = 2s}});
  BOOST_TEST(!Draw());
}

BOOST_AUTO_TEST_CASE(an_endpoint_that_does_not_fit_is_no_occasion) {
  Make({{.kind = Kind::kFault, .endpoint = uint8_t{0x82}, .nth = 2}});
  CheckPlayed(3, {});
  BOOST_TEST(!Draw(Moment::kDataIn, 0x82));
  BOOST_TEST(Draw(Moment::kDataIn, 0x82));
}

BOOST_AUTO_TEST_CASE(conditions_on_the_command_need_a_command) {
  const CommandContext context = ContextOf("28 00 00000010 00 0008 00"_hex, 1, 7);
  BOOST_TEST(context.opcode == 0x28);
  BOOST_TEST(context.lba == 16u);
  BOOST_TEST(context.blocks_count == 8u);
  const struct {
    Rule rule;
    bool fits;
  } kCases[] = {{{.opcode = uint8_t{0x28}}, true},
                {{.opcode = uint8_t{0x2a}}, false},
                {{.lun = uint8_t{1}}, true},
                {{.lun = uint8_t{0}}, false},
                {{.tag = 7u}, true},
                {{.tag = 8u}, false},
                {{.blocks = BlockRange{23, 23}}, true},
                {{.blocks = BlockRange{24, 30}}, false},
                {{.blocks = BlockRange{0, 15}}, false},
                {{.blocks = BlockRange{0, 16}}, true}};
  for (const auto& row : kCases) {
    Make({row.rule});
    BOOST_TEST(!Draw());
    BOOST_TEST(Draw(Moment::kDataIn, 0x81, &context) == row.fits);
  }
}

BOOST_AUTO_TEST_CASE(a_command_without_blocks_fits_no_range_of_them) {
  const CommandContext context = ContextOf("00 00 00 00 00 00"_hex, 0, 1);
  Make({{.kind = Kind::kFault, .blocks = BlockRange{}}});
  BOOST_TEST(!Draw(Moment::kDataIn, 0x81, &context));
}

BOOST_AUTO_TEST_CASE(a_command_up_to_the_last_number_does_not_overflow) {
  const CommandContext context = ContextOf("88 00 ffffffffffffffff 00000008 00 00"_hex, 0, 1);
  Make({{.kind = Kind::kFault, .blocks = BlockRange{UINT64_MAX, UINT64_MAX}}});
  BOOST_TEST(Draw(Moment::kDataIn, 0x81, &context));
}

BOOST_AUTO_TEST_CASE(kinds_of_port_requests_fit_their_own) {
  Make({{.kind = Kind::kClaimFails}});
  const usb::PortRequest clear = usb::ClearHalt{};
  const usb::PortRequest claim = usb::ClaimInterface{};
  BOOST_TEST(player->Draw({.moment = Moment::kPortRequest, .request = &clear}) == nullptr);
  BOOST_TEST(player->Draw({.moment = Moment::kPortRequest, .request = &claim}) != nullptr);
}

BOOST_AUTO_TEST_CASE(the_first_rule_that_fires_is_played) {
  Make({{.kind = Kind::kFault, .nth = 2, .times = 1}, {.kind = Kind::kStall}});
  const auto kind = [&] {
    return player->Draw({.moment = Moment::kDataIn, .endpoint = uint8_t{0x81}})->kind;
  };
  BOOST_TEST((kind() == Kind::kStall));
  BOOST_TEST((kind() == Kind::kFault));
  BOOST_TEST((kind() == Kind::kStall));
  BOOST_TEST(player->count(Kind::kStall).injected == 2u);
  BOOST_TEST(player->injected() == 3u);
}

BOOST_AUTO_TEST_CASE(what_is_retracted_was_not_played) {
  Make({{.kind = Kind::kFault, .times = 1}});
  BOOST_TEST(Draw());
  player->Retract();
  BOOST_TEST(player->injected() == 0u);
  BOOST_TEST(player->injections().empty());
  BOOST_TEST(Draw());
  BOOST_TEST(!Draw());
  BOOST_TEST(player->count(Kind::kFault).injected == 1u);
}

BOOST_AUTO_TEST_CASE(each_observation_is_of_one_fault) {
  Make({{.kind = Kind::kFault}});
  BOOST_TEST(Draw());
  clock.Advance(1s);
  BOOST_TEST(Draw());
  const uint64_t second = player->serial();
  player->Observe(second + 1);
  player->Observe(second);
  BOOST_TEST(!player->injections()[0].observed);
  BOOST_TEST(player->injections()[1].observed);
  BOOST_TEST((player->injections()[1].when - TimePoint{} == 1s));
  player->Observe(second);
  BOOST_TEST(player->count(Kind::kFault).observed == 1u);
  player->Observe(player->injections()[0].serial);
  BOOST_TEST(player->count(Kind::kFault).observed == 2u);
  BOOST_TEST(player->observed(0) == 2u);
  player->ForgetObserved();
  player->Observe(second);
  BOOST_TEST(player->count(Kind::kFault).observed == 2u);
}

BOOST_AUTO_TEST_CASE(what_was_drawn_earlier_is_retracted_by_its_name) {
  Make({{.kind = Kind::kFault, .times = 2}, {.kind = Kind::kStall, .times = 1}});
  BOOST_TEST(Draw());
  const uint64_t first = player->serial();
  BOOST_TEST(Draw());
  BOOST_TEST(Draw());
  player->Retract(first);
  BOOST_TEST(player->count(Kind::kFault).injected == 1u);
  BOOST_TEST(player->count(Kind::kStall).injected == 1u);
  BOOST_TEST(player->injections()[0].serial == first + 1);
  BOOST_TEST(Draw());
  BOOST_TEST(!Draw());
}

// What an answer shows is observed when that part of it comes, and not otherwise.
BOOST_AUTO_TEST_CASE(what_the_twin_shows_is_observed_when_it_comes_through) {
  using fault::Sign;
  const struct {
    const char* name;
    void (*what)(Player&);
    std::vector<Sign> seen;
  } kCases[] = {
      {"the status comes",
       [](Player& one) { one.HandleStatus(); },
       {Sign::kData, Sign::kStatus, Sign::kWait}},
      {"data is lost, then the status comes",
       [](Player& one) { one.HandleLostData(), one.HandleStatus(); },
       {Sign::kStatus, Sign::kWait}},
      {"the host gives up", [](Player& one) { one.HandleGivenUp(); }, {Sign::kWait}},
      {"the device is gone", [](Player& one) { one.HandleGone(); }, {Sign::kGone}},
      {"the next command goes first",
       [](Player& one) { one.HandleCommand(), one.HandleStatus(), one.HandleGivenUp(); },
       {}},
      {"a command goes to a device that is going",
       [](Player& one) { one.HandleCommand(), one.HandleGone(); },
       {Sign::kGone}},
  };
  for (const auto& row : kCases) {
    for (const Sign sign : {Sign::kData, Sign::kStatus, Sign::kWait, Sign::kGone}) {
      BOOST_TEST_CONTEXT(row.name << ", sign " << static_cast<int>(sign)) {
        Make({{.kind = Kind::kFault}});
        player->CarryAnswers();
        BOOST_TEST(Draw());
        player->Show(player->serial(), sign);
        BOOST_TEST(player->count(Kind::kFault).observed == 0u);
        row.what(*player);
        const auto seen = std::count(row.seen.begin(), row.seen.end(), sign);
        BOOST_TEST(player->count(Kind::kFault).observed == static_cast<uint64_t>(seen));
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(a_stopped_player_watches_nothing) {
  Make({{.kind = Kind::kFault}});
  player->Stop();
  BOOST_TEST(player->stopped());
  BOOST_TEST(!player->watches(Moment::kDataIn));
  BOOST_TEST(!Draw());
}

BOOST_AUTO_TEST_CASE(names_are_read_back) {
  for (const KindInfo& info : Kinds()) BOOST_TEST((ParseKind(info.name) == info.kind));
  BOOST_TEST(!ParseKind("usb.nothing").has_value());
}

BOOST_AUTO_TEST_SUITE_END()
