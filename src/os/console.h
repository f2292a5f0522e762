// The streams and files a command line program reads and writes. Made for bad places: a udev rule
// with no descriptor open, a pipe whose reader has left, a full disk. Nothing here throws or is
// lost: each failure to read or write comes back as a Failure that names the file.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "app/failure.h"
#include "base/bytes.h"
#include "base/error.h"

namespace usbtwin::os {

inline constexpr int kStandardInput = 0;
inline constexpr int kStandardOutput = 1;
inline constexpr int kStandardError = 2;

// Call first in main. A descriptor 0, 1 or 2 that is closed is filled with one that cannot do the
// stream's work, so that no file opened later takes its number and receives our output by accident.
// SIGPIPE is ignored: a write to a pipe without a reader then fails like any other.
void PrepareStreams();

bool IsTerminal(int descriptor);
// A terminal that understands control sequences: TERM is set, and not to "dumb".
bool IsCapableTerminal(int descriptor);

// Messages for a person, of printable lines whatever is in them (base/text.h). What cannot be
// written there is lost on purpose.
void PrintError(std::string_view text);
// The line of a capable terminal that shows how far things are: rewritten each time, and erased by
// an empty text.
void ShowProgress(std::string_view text);

// All of it, or a kFile failure.
Result<void, app::Failure> Write(int descriptor, std::string_view name, Bytes bytes);
Result<void, app::Failure> PrintOutput(std::string_view text);

// A descriptor that belongs to its holder.
class File {
 public:
  File() = default;
  explicit File(int descriptor) : descriptor_(descriptor) {}
  File(File&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  File& operator=(File&& other) noexcept;
  ~File();
  int descriptor() const { return descriptor_; }
  // Closes; false where the system says that written data was lost.
  bool Close();

 private:
  int descriptor_ = -1;
};

// A file or standard input ("-"), read piece by piece.
class InputFile {
 public:
  // kUsage where the path cannot be opened.
  static Result<InputFile, app::Failure> Open(const std::string& path);

  // "standard input", or the path.
  const std::string& name() const { return name_; }
  // How much a regular file holds from here on; nullopt for what has no length.
  std::optional<uint64_t> length() const;
  // Fills the room; fewer bytes only at the end of the input.
  Result<size_t, app::Failure> Read(MutableBytes room);
  // Passes over bytes: read and dropped where one cannot seek. Passing the end is no error.
  Result<void, app::Failure> Skip(uint64_t length);

 private:
  InputFile(std::string name, File file) : name_(std::move(name)), file_(std::move(file)) {}
  int descriptor() const { return file_.descriptor() < 0 ? kStandardInput : file_.descriptor(); }

  std::string name_;
  File file_;
};

struct InputRequest {
  std::string path;   // "-": standard input
  uint64_t skip = 0;  // bytes passed over first; read and dropped where one cannot seek
  std::optional<uint64_t> length;  // exactly this many; absent: up to the end
  uint64_t length_max = 0;         // more is refused
};
// kUsage where the path cannot be opened or the input is too long, kFile where it ends early or
// breaks.
Result<std::vector<uint8_t>, app::Failure> ReadInput(const InputRequest& request);

// A file that receives a result: opened early, so that a bad path is found before anything is sent;
// emptied only when the first bytes arrive, so that a failure leaves an older result alone; removed
// again where it is new and nothing arrived. "-" is standard output.
class OutputFile {
 public:
  static Result<OutputFile, app::Failure> Open(const std::string& path);
  OutputFile(OutputFile&& other) noexcept = default;
  OutputFile& operator=(OutputFile&&) = delete;
  ~OutputFile();

  const std::string& path() const { return path_; }
  bool is_standard_output() const { return path_ == "-"; }
  Result<void, app::Failure> Write(Bytes bytes);
  // Ends the file with what was written; the last chance for an error to show.
  Result<void, app::Failure> Finish();

 private:
  OutputFile(std::string path, File file, bool is_new)
      : path_(std::move(path)), file_(std::move(file)), is_new_(is_new) {}
  int descriptor() const { return is_standard_output() ? kStandardOutput : file_.descriptor(); }
  Result<void, app::Failure> Begin();

  std::string path_;
  File file_;
  bool is_new_ = false;
  bool begun_ = false;
};

}  // namespace usbtwin::os
