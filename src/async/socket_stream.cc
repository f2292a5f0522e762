#include "async/socket_stream.h"

#include <cstring>

namespace usbtwin::async {

// --- reading ---

void SocketReader::Fill() {
  if (first_ != 0) {
    std::memmove(buffer_.data(), buffer_.data() + first_, last_ - first_);
    last_ -= first_;
    first_ = 0;
  }
  CHECK_LT(last_, buffer_.size());
  Start(MutableBytes(buffer_).subspan(last_), true);
}

void SocketReader::FillInto(MutableBytes room) {
  CHECK_EQ(first_, last_);
  Start(room, false);
}

void SocketReader::Start(MutableBytes room, bool buffer) {
  CHECK(!reading_);
  CHECK(!room.empty());
  reading_ = true;
  read_.room = room;
  read_.outcome = SocketOutcome::kPending;
  read_.length_actual = 0;
  read_.Push(*this, buffer ? 1 : 0);
  socket_.Read(read_);
}

void SocketReader::OnDone(SocketRead& read, uint64_t word) {
  reading_ = false;
  if (read.outcome != SocketOutcome::kOk) return client_.HandleInputEnd(read.outcome);
  if (word == 0) return client_.HandleInput(read.length_actual);
  last_ += read.length_actual;
  client_.HandleInput(0);
}

// --- writing ---

SocketWriter::~SocketWriter() {
  CHECK(!writing_);
  if (linked()) Unlink();
}

void SocketWriter::Queue(Outgoing& message, size_t length) {
  if (ended_ || stopping_) return message.HandleSent();
  queue_.PushBack(message);
  message.length_ = length;
  length_ += length;
  if (!writing_ && !linked()) clock_.Post(*this);
}

void SocketWriter::Run() {
  if (writing_ || queue_.empty()) return;
  // What else is posted may queue more: one write for all of it.
  if (!clock_.idle() && ++deferrals_ < kDeferralsMax) return clock_.Post(*this);
  deferrals_ = 0;
  size_t length = 0;
  for (size_t count = 0; !queue_.empty() && count < kBatchMax; ++count) {
    length += queue_.front().length_;
    if (count != 0 && length > kBatchLengthMax) break;
    Outgoing& message = queue_.PopFront();
    batch_.PushBack(message);
  }
  writing_ = true;
  write_.source = this;
  write_.outcome = SocketOutcome::kPending;
  write_.length_actual = 0;
  write_.Push(*this);
  socket_.Write(write_);
}

std::span<const Bytes> SocketWriter::PiecesFrom(size_t offset) {
  pieces_.clear();
  for (Outgoing* message = &batch_.front(); message != nullptr; message = batch_.next(*message)) {
    message->AppendPieces(pieces_);
  }
  size_t first = 0;
  while (first < pieces_.size() && offset >= pieces_[first].size())
    offset -= pieces_[first++].size();
  const auto left = std::span(pieces_).subspan(first);
  if (!left.empty()) left.front() = left.front().subspan(offset);
  return left;
}

void SocketWriter::OnDone(SocketWrite& write, uint64_t) {
  writing_ = false;
  if (write.outcome != SocketOutcome::kOk || stopping_) return End(write.outcome);
  length_ -= write.length_actual;
  GiveBack(batch_);
  if (!queue_.empty() && !linked()) clock_.Post(*this);
  client_.HandleOutput();
}

void SocketWriter::Stop() {
  if (ended_ || stopping_) return;
  stopping_ = true;
  if (writing_) return socket_.Cancel(write_);
  End(SocketOutcome::kCancelled);
}

void SocketWriter::GiveBack(IntrusiveList<Outgoing>& messages) {
  while (!messages.empty()) messages.PopFront().HandleSent();
}

void SocketWriter::End(SocketOutcome outcome) {
  ended_ = true;
  length_ = 0;
  GiveBack(batch_);
  GiveBack(queue_);
  client_.HandleOutputEnd(outcome);
}

}  // namespace usbtwin::async
