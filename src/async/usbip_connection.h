// UsbIpConnection: one peer of a UsbIpServer, from its first byte to its last reply. It feeds what
// arrives to the engine (proto/usbip_session.h), owns the transfers and their memory, and answers
// them. IN data that the device lends goes to the socket without a copy.
#pragma once

#include <optional>

#include "async/ip_network.h"
#include "async/sequence_index.h"
#include "async/socket_stream.h"
#include "async/usbip_server.h"
#include "link/gatekeeper.h"
#include "proto/usbip_session.h"

namespace usbtwin::async {

class UsbIpConnection final : private SocketReader::Client,
                              private SocketWriter::Client,
                              private usb::TransferSink,
                              private usb::Sink<usb::OpenOp>,
                              private Timer {
 public:
  UsbIpConnection(UsbIpServer& server, std::unique_ptr<Socket> socket);
  ~UsbIpConnection();

  void Start();                                   // with the peer's first request
  void StartImported(UsbIpServer::Entry& entry);  // with its first command
  // Ends it: `why` is told where it had imported a device. Once or more.
  void End(const std::string& why);
  void EndSoon(const std::string& why);  // after the replies that are queued
  bool in_handshake() const { return phase_ == Phase::kRequest || phase_ == Phase::kAnswered; }
  // One that ends without a device has only its socket to close.
  bool holds_place() const { return phase_ != Phase::kEnding || entry_ != nullptr; }
  const Party& party() const { return party_; }
  // It will give its device back, as soon as that is in order.
  bool leaving() const { return phase_ == Phase::kEnding || ending_soon_; }
  // Somebody gave a device back: it may be the one that the peer has asked for.
  void HandleDeviceFree();
  const std::string& peer() const { return socket_->peer(); }
  UsbIpConnectionStatus status() const;

 private:
  static constexpr size_t kBufferLength = 16 << 10;
  static constexpr size_t kDirectMin = 4 << 10;  // payloads from here on go straight to their place
  static constexpr size_t kSpareBytesMax = 8 << 20;  // memory kept for the transfers to come

  enum class Phase : uint8_t {
    kRequest,   // waits for what the peer wants
    kOpening,   // the device
    kImported,  // carries transfers
    kAnswered,  // sends its last reply
    kEnding,    // gives the device back
  };
  // A short message of its own: refusals, replies to unlinks, and all of the handshake.
  struct Note final : Outgoing {
    explicit Note(UsbIpConnection& owner_in) : owner(owner_in) {}
    void AppendPieces(std::vector<Bytes>& pieces) const override { pieces.push_back(bytes); }
    void HandleSent() override {
      --owner.replies_count_;
      owner.notes_.PushFront(*this);
    }
    UsbIpConnection& owner;
    std::vector<uint8_t> bytes;
  };
  struct Urb final : Outgoing {
    explicit Urb(UsbIpConnection& owner_in) : owner(owner_in) {}
    void AppendPieces(std::vector<Bytes>& pieces) const override;
    void HandleSent() override { owner.HandleReplySent(*this); }
    UsbIpConnection& owner;
    usb::Transfer transfer;
    usbip::Submit submit;
    std::optional<uint32_t> unlink_sequence;
    size_t index = 0;                 // in urbs_
    SequenceIndex<Urb>::Place place;  // in unlinkable_
    uint32_t slab_length = 0;         // of the data, where it needs memory
    size_t bytes_length = 0;          // counted against urb_bytes_max
    size_t memory_length() const {
      return slab.capacity() + packets_raw.capacity() + packets.capacity() * sizeof packets[0];
    }
    std::vector<uint8_t> slab;  // at least as long as the longest transfer it has carried
    std::vector<usb::IsoPacket> packets;
    std::vector<uint8_t> packets_raw;
    wire::usbip::SubmitReply reply{};
  };

  void HandleInput(size_t length) override;
  void HandleInputEnd(SocketOutcome outcome) override;
  void HandleOutput() override;
  void HandleOutputEnd(SocketOutcome outcome) override;
  void OnDone(usb::Transfer& transfer, uint64_t word) override;
  void OnDone(usb::OpenOp& op, uint64_t word) override;
  void HandleTimer() override;

  // What came, as far as it goes; each returns false where more must come first.
  void Advance();
  bool AdvanceRequest();
  bool AdvanceHeader();
  bool AdvancePayload();
  void HandleImport(const std::string& bus_id);
  void Import(UsbIpServer::Entry& entry);
  void HandleSubmit(const usbip::Submit& submit);
  void HandleUnlink(const usbip::Unlink& unlink);
  MutableBytes PayloadRoom();
  void HandlePayloadDone();
  void SubmitUrb(Urb& urb);
  void Answer(Urb& urb);
  Urb& TakeUrb();
  void Free(Urb& urb);
  void HandleReplySent(Urb& urb);
  void QueueNote(std::vector<uint8_t> bytes);
  void Reply(std::vector<uint8_t> bytes);  // the last one
  void Break(const Error& error);
  void EndByPeer(const std::string& why);
  void GiveBack();
  void MaybeDone();

  struct ClosedHook final : Deferred {
    explicit ClosedHook(UsbIpConnection& owner_in) : owner(owner_in) {}
    void Run() override {
      owner.gate_closed_ = true;
      owner.MaybeDone();
    }
    UsbIpConnection& owner;
  };
  struct DoneHook final : Deferred {
    explicit DoneHook(UsbIpConnection& owner_in) : owner(owner_in) {}
    void Run() override { owner.server_.HandleConnectionDone(owner); }
    ~DoneHook() {
      if (linked()) Unlink();
    }
    UsbIpConnection& owner;
  };

  UsbIpServer& server_;
  const std::unique_ptr<Socket> socket_;
  const Party party_;
  Phase phase_ = Phase::kRequest;
  bool importing_ = false;     // the op was read, its bus id not yet
  bool answer_import_ = true;  // false where there is no handshake
  std::string awaited_;        // bus id of a device that its importer is about to give back

  UsbIpServer::Entry* entry_ = nullptr;
  usb::OpenOp open_;
  bool opening_ = false;
  usb::LinkStack stack_;
  usb::LinkCaps caps_;
  std::optional<link::Gatekeeper> gate_;
  bool gate_closing_ = false;
  bool gate_closed_ = false;

  usbip::Framing framing_;
  Urb* incoming_ = nullptr;  // whose payload is being read; null: it is dropped
  std::vector<std::unique_ptr<Urb>> urbs_;
  IntrusiveList<Outgoing> free_urbs_;
  SequenceIndex<Urb> unlinkable_;  // of those under way, such as no unlink has met
  size_t under_way_count_ = 0;
  size_t bytes_held_ = 0;     // by transfers, until the reply is sent
  size_t bytes_spare_ = 0;    // by those in free_urbs_
  size_t replies_count_ = 0;  // queued
  std::vector<std::unique_ptr<Note>> all_notes_;
  IntrusiveList<Outgoing> notes_;  // free

  ClosedHook closed_hook_;
  DoneHook done_hook_;
  SocketReader reader_;
  SocketWriter writer_;
  bool input_ended_ = false;
  bool output_ended_ = false;
  bool ending_soon_ = false;
  std::string why_;  // it ended
  bool by_peer_ = false;
};

}  // namespace usbtwin::async
