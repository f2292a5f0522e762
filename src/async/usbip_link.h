// UsbIpLink: a device on a USB/IP server, as its host sees it. Transfers become messages and their
// replies transfers again; what the server says is hostile, and what breaks the protocol breaks the
// connection: everything then completes kDisconnected.
//
// Between the messages there is nothing: it reads only while replies are due, so a link without
// transfers may go at once. Bulk streams are not carried, for USB/IP has none. A reset of the
// port is asked for as SET_FEATURE(PORT_RESET); servers that do not know it refuse, and then the
// device is as it was.
#pragma once

#include <deque>
#include <functional>
#include <string>

#include "async/socket_stream.h"
#include "link/endpoint_map.h"
#include "proto/usbip_ops.h"
#include "proto/usbip_session.h"
#include "usb/link.h"

namespace usbtwin::async {

struct UsbIpLinkOptions {
  uint32_t transfer_length_max = 1 << 20;           // bytes
  Duration unlink_time = std::chrono::seconds(10);  // for the answer; then the server is dead
  Duration port_request_time = std::chrono::seconds(5);
  // Told once why the connection is no more. May be null.
  std::function<void(const std::string& why)> handle_gone;
};

class UsbIpLink final : public usb::Link,
                        public ListNode,  // of its bus
                        private SocketReader::Client,
                        private SocketWriter::Client,
                        private usb::TransferSink,
                        private Timer {
 public:
  // The socket's peer has granted the import, and nothing has been said since.
  UsbIpLink(Clock& clock, std::unique_ptr<Socket> socket, const usbip::Device& device,
            const UsbIpLinkOptions& options);
  ~UsbIpLink() override;

  usb::LinkCaps caps() const override;
  void Submit(usb::Transfer& transfer) override;
  void Cancel(usb::Transfer& transfer) override;
  void Request(usb::PortOp& op) override;

  // Ends the connection: everything completes kDisconnected, without a word from the server.
  void GiveUp(const std::string& why) { Break(why); }
  // Why the connection is no more; "" while it is.
  const std::string& why_gone() const { return why_gone_; }

 private:
  static constexpr size_t kBufferLength = 16 << 10;
  static constexpr size_t kDirectMin = 4 << 10;
  using Slot = usbip::ClientSession::Slot;

  // A transfer under way, with its messages.
  struct Flight {
    struct SubmitMessage final : Outgoing {
      void AppendPieces(std::vector<Bytes>& pieces) const override;
      void HandleSent() override;
      Flight* flight = nullptr;
    };
    struct UnlinkMessage final : Outgoing {
      void AppendPieces(std::vector<Bytes>& pieces) const override;
      void HandleSent() override;
      Flight* flight = nullptr;
    };
    UsbIpLink* owner = nullptr;
    Slot slot = 0;
    usb::Transfer* transfer = nullptr;  // null: free
    uint64_t order = 0;                 // in which it was submitted
    wire::usbip::Submit submit{};
    wire::usbip::Unlink unlink{};
    std::vector<uint8_t> packets_raw;
    SubmitMessage submit_message;
    UnlinkMessage unlink_message;
    uint8_t unsent_count = 0;  // of the messages
    bool answered = false;     // `reply` says how
    bool last = false;         // nothing more comes
    usbip::ClientSession::Reply reply;
    TimePoint unlink_deadline = kNever;
  };

  void HandleInput(size_t length) override;
  void HandleInputEnd(SocketOutcome outcome) override;
  void HandleOutput() override {}
  void HandleOutputEnd(SocketOutcome outcome) override;
  void OnDone(usb::Transfer& transfer, uint64_t word) override;
  void HandleTimer() override;

  void Start(usb::Transfer& transfer);
  void Read();
  bool AdvanceHeader();
  bool AdvancePayload();
  void HandleMessageDone();
  MutableBytes PayloadRoom();
  void HandleSent(Flight& flight);
  void MaybeFinish(Flight& flight);
  void Finish(Flight& flight, usb::Outcome outcome);
  void StartWaiting();
  void Break(const std::string& why);
  void FinishAll();
  void ArmTimer();
  Flight* Find(const usb::Transfer& transfer);
  uint32_t IntervalOf(const usb::Transfer& transfer) const;

  void NextPortRequest();
  void StartReset();
  void SendPortRequest(const usb::SetupPacket& setup);
  void HandleResetAnswer(usb::Outcome outcome);
  void Remember(const usb::PortRequest& request);
  void FinishPortRequest(usb::Outcome outcome);

  Clock& clock_;
  const std::unique_ptr<Socket> socket_;
  const usb::Speed speed_;
  const UsbIpLinkOptions options_;
  usbip::ClientSession session_;
  usbip::Framing framing_;
  link::EndpointMap endpoints_;
  std::vector<std::unique_ptr<Flight>> flights_;  // by slot
  Flight* incoming_ = nullptr;                    // whose reply's payload is being read
  bool incoming_last_ = false;
  bool incoming_packets_ = false;
  bool advancing_ = false;                // within Read
  IntrusiveList<usb::Transfer> waiting_;  // for a slot, or the end of a reset
  size_t under_way_count_ = 0;
  uint64_t started_count_ = 0;
  SocketReader reader_;
  SocketWriter writer_;
  bool broken_ = false;
  std::string why_gone_;

  IntrusiveList<usb::PortOp> ports_;  // the first one is being carried out
  usb::Transfer port_transfer_;
  bool port_busy_ = false;
  bool resetting_ = false;  // the port: new transfers wait
  bool emptying_ = false;   // until what was cancelled for it has ended
  TimePoint port_deadline_ = kNever;
  std::deque<usb::SetupPacket> reset_steps_;  // what is left of them
  uint8_t configuration_value_ = 0;
  std::array<uint8_t, 256> alternates_{};
};

}  // namespace usbtwin::async
