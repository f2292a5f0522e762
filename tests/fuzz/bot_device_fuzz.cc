// The Bulk-Only device engine driven by operations. The input decides what the host sends and what
// the unit answers; the rules of the shell are kept, so whatever the engine then does must make
// sense: one status for each command, a residue no larger than what was announced, a wedge that
// only a reset lifts, and never an action out of turn.
#include "proto/bot_device.h"

#include "base/check.h"
#include "input.h"

namespace {

using namespace usbtwin;       // NOLINT
using namespace usbtwin::bot;  // NOLINT

// The shell's half of the contract.
struct Shell {
  explicit Shell(Bytes bytes) : input(bytes) { engine.HandleEnabled(512); }

  void Do(const ReceiveCommand&) {
    CHECK(!engine.wedged());
    // Now and then a proper wrapper, or hardly anything would get past the check.
    if (input.Byte() % 4 == 0) return engine.HandleCommand(input.Piece(input.Byte()));
    wire::bot::CommandBlockWrapper wrapper{
        .signature = wire::bot::kCommandSignature,
        .tag = tag + 1,
        .data_length = input.Length(512),
        .flags = static_cast<uint8_t>(input.Byte() & 0x80),
        .lun = static_cast<uint8_t>(input.Byte() % 17),
        .command_length = static_cast<uint8_t>(input.Byte() % 18),
        .command_block = {}};
    engine.HandleCommand(wire::AsBytes(wrapper));
  }
  void Do(const Execute&) {
    tag = engine.command().tag;
    announced = engine.command().data_length;
    statuses = 0;
    if (input.Byte() % 2 == 0) return engine.HandleDataWanted(input.Length(announced) | 1);
    engine.HandleExecuted(input.Byte() % 2 == 0, input.Length(announced), 0);
  }
  void Do(const SendData& data) {
    CHECK_LE(data.length, announced);
    CHECK_NE(data.length, 0u);
    const uint8_t choice = input.Byte();
    const uint32_t moved = choice % 4 == 0 ? data.length / 2 : data.length;
    if (choice % 8 == 0) return engine.HandleDataFailed(moved);
    engine.HandleDataMoved(moved, moved != data.length);
  }
  void Do(const ReceiveData& data) {
    CHECK_LE(data.length, announced);
    const uint8_t choice = input.Byte();
    if (choice % 4 == 0) return engine.HandleDataMoved(data.length / 2, true);
    engine.HandleDataMoved(data.length, choice % 2 == 0);
    engine.HandleExecuted(choice % 3 == 0, 0, choice % 5 == 0 ? data.length / 3 : data.length);
  }
  void Do(const AbortCommand&) { engine.HandleExecuted(false, 0, 0); }
  void Do(const Halt& halt) {
    CHECK(halt.bulk_in || halt.bulk_out);
    CHECK(halt.wedge == engine.wedged());
  }
  void Do(const SendStatus& status) {
    CHECK_EQ(++statuses, 1);
    CHECK_EQ(status.tag, tag);
    CHECK_LE(status.residue, announced);
    CHECK_LE(static_cast<int>(status.status), 2);
    engine.HandleStatusSent();
  }

  void Run() {
    for (int steps = 0; steps < 1000 && !input.empty(); ++steps) {
      if (input.Byte() % 32 == 0) engine.HandleReset();
      const std::optional<DeviceAction> action = engine.Poll();
      if (action) {
        std::visit([this](const auto& what) { Do(what); }, *action);
      } else {
        CHECK(engine.wedged());  // the only state in which nothing is to be done
        engine.HandleReset();
      }
    }
  }

  fuzz::Input input;
  DeviceEngine engine;
  uint32_t tag = 0;
  uint32_t announced = 0;
  int statuses = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Shell(Bytes(data, size)).Run();
  return 0;
}
