// Any text as a fault plan: it is refused with a message of one line, or every rule of it can be
// played. A player is asked at each moment, as often as the first rules need to be due.
#include <algorithm>

#include "app/fault_config.h"
#include "base/check.h"
#include "base/manual_clock.h"
#include "base/seeded.h"
#include "link/fault_player.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace usbtwin;  // NOLINT
  const auto file = app::ParseFaults(std::string(data, data + size), "plan.toml");
  if (!file) {
    const std::string& text = file.error().text;
    CHECK(text.starts_with("plan.toml:"));
    CHECK(std::none_of(text.begin(), text.end(),
                       [](char letter) { return static_cast<unsigned char>(letter) < ' '; }));
    return 0;
  }
  CHECK_NE(file->plan.rules.size(), 0u);
  CHECK_EQ(file->plan.rules.size(), file->places.size());
  ManualClock clock;
  Seeded chooser(file->seed);
  fault::Player player(clock, chooser, file->plan);
  const fault::CommandContext command{.opcode = 0x28, .lba = 7, .blocks_count = 8};
  for (size_t round = 0; round < 4 * fault::kMomentsCount; ++round) {
    const auto moment = static_cast<fault::Moment>(round % fault::kMomentsCount);
    const fault::Rule* rule =
        player.Draw({.moment = moment, .endpoint = 0x81, .command = &command});
    if (rule == nullptr) continue;
    CHECK(fault::Info(rule->kind).at(moment));
    CHECK(rule->delay_or_default().count() >= 0);
    player.Observe(player.serial());
  }
  size_t played = 0;
  for (size_t rule = 0; rule < file->plan.rules.size(); ++rule) played += player.played(rule);
  CHECK_EQ(played, player.injected());
  return 0;
}
