// UasWatch: follows USB Attached SCSI from outside, so that a decorator knows which transfer is an
// IU, a read of the status pipe or data, and of which command. It learns the four pipes from the
// pipe usage descriptors of the configurations that the host reads, and which alternate setting has
// them from what the host sets. It believes what it sees; on a device that speaks something else no
// endpoint is ever a pipe of it. For the FaultInjector.
//
// Without streams nothing says whose data a transfer is but the order of the ready IUs: each one's
// data is taken to be one transfer, unless no other ready IU waits. Tags of several functions of
// one device are not told apart.
#pragma once

#include <vector>

#include "link/fault_player.h"
#include "usb/transfer.h"
#include "wire/uas.h"

namespace usbtwin::link {

enum class UasPipe : uint8_t { kNone, kCommand, kStatus, kDataIn, kDataOut };  // PipeId

class UasWatch {
 public:
  static constexpr size_t kIuLengthMax = sizeof(wire::uas::SenseIu) + wire::uas::kSenseLengthMax;

  // Looks at a control transfer that completed.
  void Observe(const usb::Transfer& transfer);
  void HandleConfigured(uint8_t configuration);
  void HandleAlternate(uint8_t interface, uint8_t alternate_setting);
  // The device forgot what was under way.
  void HandleReset();

  UasPipe PipeOf(usb::EndpointAddress endpoint) const { return pipes_[endpoint.index()]; }
  // The host submits a transfer to one of the pipes: the tag it belongs to, 0 where nothing says.
  uint16_t HandleSubmit(const usb::Transfer& transfer);
  // A TASK MANAGEMENT IU goes to the device: takes the commands that it takes back out of the list.
  std::vector<fault::CommandContext> TakeManaged(const wire::uas::TaskManagementIu& iu);
  // An IU of the device, as the host is about to see it.
  void HandleIu(Bytes iu);

  // Null for tags without a COMMAND IU, and once the command has ended.
  const fault::CommandContext* Find(uint16_t tag) const;
  // All of them.
  const std::vector<fault::CommandContext>& commands() const { return commands_; }
  // The tag of another command under way; 0 for none.
  uint16_t OtherThan(uint16_t tag) const;

  // An IU in what came.
  class Iu {
   public:
    explicit Iu(const usb::Transfer& transfer);
    Bytes bytes() const { return Bytes(room_).first(length_); }

   private:
    std::array<uint8_t, kIuLengthMax> room_{};
    size_t length_;
  };
  // The tag of an IU of any kind; 0 where it is too short for one.
  static uint16_t TagOf(Bytes iu);
  // A SENSE IU, or a RESPONSE IU: the last word on its tag.
  static bool IsLast(Bytes iu);
  // A ready IU without streams: which of the two data pipes is asked for. Data moves in the order
  // of these.
  static std::optional<size_t> WayOf(Bytes iu);

 private:
  static constexpr size_t kCommandsMax = 256;  // of more, the oldest is forgotten
  struct Setting {
    uint8_t configuration = 0;
    uint8_t interface = 0;
    uint8_t alternate = 0;
    std::array<usb::EndpointAddress, 4> pipes;  // by PipeId, from kCommand on
  };
  struct Chosen {
    uint8_t interface = 0;
    uint8_t alternate = 0;
  };

  void Learn(Bytes configuration);
  void Choose();
  void Begin(Bytes iu);
  void End(uint16_t tag);

  std::vector<Setting> settings_;
  std::vector<Chosen> chosen_;  // alternate settings other than 0
  std::optional<uint8_t> configuration_;
  std::array<UasPipe, usb::kEndpointIndexCount> pipes_{};
  std::vector<fault::CommandContext> commands_;  // by age; the context has the tag
  // Without streams, data-in and data-out: ready IUs whose data has not been asked for, and the
  // last whose was.
  std::array<std::vector<uint16_t>, 2> granted_;
  std::array<uint16_t, 2> moving_{};
};

}  // namespace usbtwin::link
