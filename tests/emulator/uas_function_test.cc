// What a UAS function tells a logical unit of a command that came.
#include "emulator/uas_function.h"

#include <boost/test/unit_test.hpp>

using namespace usbtwin;            // NOLINT
using namespace usbtwin::emulator;  // NOLINT
using scsi::TaskAttribute;

namespace {

// Keeps what is queued.
class Shelf final : public Controller {
 public:
  usb::Speed speed() const override { return usb::Speed::kHigh; }
  void Enable(const usb::EndpointConfig&) override {}
  void Disable(usb::EndpointAddress) override {}
  void Queue(usb::InRequest& request) override { in = &request; }
  void Queue(usb::OutRequest& request) override { out = &request; }
  void Release(usb::OutRequest&) override {}
  void CancelAll(usb::EndpointAddress) override {}
  void CancelStream(usb::EndpointAddress, uint16_t) override {}
  void SetHalt(usb::EndpointAddress, HaltState) override {}
  HaltState halt(usb::EndpointAddress) const override { return HaltState::kNone; }
  void CompleteControl(ControlTicket, ControlReply) override {}
  void RemoteWakeup() override {}

  void Send(Bytes iu) {
    usb::OutRequest& request = *std::exchange(out, nullptr);
    CopyBytes(request.room, iu);
    request.length_actual = static_cast<uint32_t>(iu.size());
    request.outcome = usb::Outcome::kOk;
    request.sink->OnRequestDone(request);
  }

  usb::InRequest* in = nullptr;
  usb::OutRequest* out = nullptr;
};

// Keeps the command until told.
class Keeper final : public scsi::LogicalUnit {
 public:
  void Execute(scsi::Command& given) override { command = &given; }
  void NextWindow(scsi::Command&) override {}
  void HandleData(scsi::Command&, uint32_t, Bytes) override {}
  void Abort(scsi::Command&) override {}
  void ForgetSense(uint8_t) override {}
  void Reset() override {}
  void ResetUnit(uint64_t) override {}

  scsi::Command* command = nullptr;
};

std::vector<usb::EndpointConfig> Pipes() {
  const auto pipe = [](uint8_t address, uint8_t usage) {
    return usb::EndpointConfig{.address = {address}, .packet_size_max = 512, .pipe_usage = usage};
  };
  return {pipe(0x02, 1), pipe(0x82, 2), pipe(0x81, 3), pipe(0x01, 4)};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(uas_function)

BOOST_AUTO_TEST_CASE(a_unit_learns_how_and_from_whom_a_command_came) {
  struct Case {
    uint8_t byte4;  // COMMAND PRIORITY, TASK ATTRIBUTE
    TaskAttribute attribute;
  };
  for (const Case& one :
       {Case{0x00, TaskAttribute::kSimple}, Case{0x78, TaskAttribute::kSimple},
        Case{0x01, TaskAttribute::kHeadOfQueue}, Case{0x02, TaskAttribute::kOrdered}}) {
    Shelf controller;
    Keeper unit;
    UasFunction function(unit, {.initiator = 3});
    function.HandleBind(controller);
    const auto pipes = Pipes();
    function.HandleEvent(InterfaceEnabled{.alternate_setting = 1, .endpoints = pipes});
    BOOST_REQUIRE(controller.out != nullptr);
    std::vector<uint8_t> iu(32, 0);
    iu[0] = 0x01;  // COMMAND
    iu[3] = 0x07;  // tag
    iu[4] = one.byte4;
    controller.Send(iu);
    BOOST_REQUIRE(unit.command != nullptr);
    BOOST_TEST((unit.command->attribute == one.attribute));
    BOOST_TEST(unit.command->initiator == 3);
    BOOST_TEST(unit.command->autosense);
    BOOST_TEST(unit.command->queueing);
    BOOST_TEST(unit.command->task_functions == 0xdc02);
    unit.command->sink->OnExecuted(*unit.command);
    BOOST_REQUIRE(controller.in != nullptr);
    controller.in->data.Reset();
    controller.in->outcome = usb::Outcome::kOk;
    controller.in->sink->OnRequestDone(*controller.in);
  }
}

BOOST_AUTO_TEST_SUITE_END()
