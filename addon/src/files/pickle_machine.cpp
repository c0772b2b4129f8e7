// Opcodes and their effects; globals and reductions are in pickle_globals.cpp. There is no recursion: containers refer
// to each other by index, so a pickle that nests or contains itself costs only its own length.
#include "files/pickle_machine.h"

#include <bit>
#include <cstring>

#include "files/pickle_globals.h"
#include "files/refusal.h"

namespace rushes::pickle {
namespace {

constexpr uint64_t kMaxPickleBytes = 64 << 20;
constexpr size_t kMaxStack = 1 << 20, kMaxContainers = 1 << 20, kMaxTexts = 1 << 20, kMaxMemo = 1 << 22;

enum Opcode : uint8_t {
  kMark = '(',
  kStop = '.',
  kBinFloat = 'G',
  kBinInt = 'J',
  kBinInt1 = 'K',
  kBinInt2 = 'M',
  kNone = 'N',
  kBinPersistentId = 'Q',
  kReduce = 'R',
  kBinUnicode = 'X',
  kAppend = 'a',
  kBuild = 'b',
  kGlobal = 'c',
  kEmptyDict = '}',
  kAppends = 'e',
  kBinGet = 'h',
  kLongBinGet = 'j',
  kEmptyList = ']',
  kBinPut = 'q',
  kLongBinPut = 'r',
  kSetItem = 's',
  kTuple = 't',
  kEmptyTuple = ')',
  kSetItems = 'u',
  kShortBinString = 'U',
  kProtocol = 0x80,
  kNewObject = 0x81,
  kTuple1 = 0x85,
  kTuple2 = 0x86,
  kTuple3 = 0x87,
  kNewTrue = 0x88,
  kNewFalse = 0x89,
  kLong1 = 0x8a,
  kEmptySet = 0x8f
};

class Machine {
 public:
  Machine(std::span<const std::byte> bytes, const std::filesystem::path& path) : bytes_(bytes), path_(path) {}

  Document run() {
    if (bytes_.size() > kMaxPickleBytes)
      damaged("its list of tensors takes " + std::to_string(bytes_.size()) + " bytes");
    while (step()) {
    }
    if (stack_.size() != 1) damaged("its pickle leaves " + std::to_string(stack_.size()) + " values");
    document_.root = stack_.back();
    if (document_.root.kind == Kind::mark) damaged("its pickle ends with a mark");
    return std::move(document_);
  }

 private:
  [[noreturn]] void damaged(const std::string& what) const {
    refuse_corrupt(path_, what + " (byte " + std::to_string(position_) + " of its pickle)");
  }

  // Reading
  template <class T>
  T read() {
    if (bytes_.size() - position_ < sizeof(T)) damaged("its pickle is cut off");
    T value;
    std::memcpy(&value, bytes_.data() + position_, sizeof(T));
    position_ += sizeof(T);
    return value;
  }
  std::string_view read_text(uint64_t size) {
    if (bytes_.size() - position_ < size) damaged("its pickle is cut off");
    const std::string_view text(reinterpret_cast<const char*>(bytes_.data()) + position_, size);
    position_ += size;
    return text;
  }
  std::string_view read_line() {
    const std::string_view rest(reinterpret_cast<const char*>(bytes_.data()) + position_, bytes_.size() - position_);
    const size_t end = rest.substr(0, kMaxNameBytes + 1).find('\n');
    if (end == std::string_view::npos) damaged("its pickle has a name without an end");
    position_ += end + 1;
    return rest.substr(0, end);
  }

  // The stack
  void push(const Value& value) {
    if (stack_.size() >= kMaxStack) damaged("its pickle is too deep");
    stack_.push_back(value);
  }
  Value pop() {
    if (stack_.empty()) damaged("its pickle takes a value that is not there");
    const Value value = stack_.back();
    if (value.kind == Kind::mark) damaged("its pickle takes a mark for a value");
    stack_.pop_back();
    return value;
  }
  Value& top() {
    if (stack_.empty() || stack_.back().kind == Kind::mark) damaged("its pickle takes a value that is not there");
    return stack_.back();
  }
  /// The values above the last mark, which is removed with them.
  std::vector<Value> pop_to_mark() {
    if (marks_.empty()) damaged("its pickle lacks a mark");
    const size_t mark = marks_.back();
    marks_.pop_back();
    std::vector<Value> out(stack_.begin() + static_cast<std::ptrdiff_t>(mark) + 1, stack_.end());
    stack_.resize(mark);
    return out;
  }

  Value make_sequence(Kind kind, std::vector<Value> items) {
    if (document_.sequences.size() >= kMaxContainers) damaged("its pickle has too many containers");
    document_.sequences.push_back(std::move(items));
    return {.kind = kind, .index = static_cast<uint32_t>(document_.sequences.size() - 1)};
  }
  Value make_dict() {
    if (document_.dicts.size() >= kMaxContainers) damaged("its pickle has too many containers");
    document_.dicts.emplace_back();
    return {.kind = Kind::dict, .index = static_cast<uint32_t>(document_.dicts.size() - 1)};
  }
  void push_text(std::string_view text) {
    if (!is_utf8(text)) damaged("its pickle has text that is not UTF-8");
    if (document_.texts.size() >= kMaxTexts) damaged("its pickle has too many texts");
    document_.texts.push_back(text);
    push({.kind = Kind::text, .index = static_cast<uint32_t>(document_.texts.size() - 1)});
  }
  void push_tuple(size_t count) {
    std::vector<Value> items(count);
    for (size_t i = count; i-- > 0;) items[i] = pop();
    push(make_sequence(Kind::tuple, std::move(items)));
  }

  void put(uint32_t slot) {
    if (slot >= kMaxMemo) damaged("its pickle remembers too much");
    if (slot >= memo_.size()) memo_.resize(slot + 1, Value{.kind = Kind::mark});
    memo_[slot] = top();
  }
  void get(uint32_t slot) {
    if (slot >= memo_.size() || memo_[slot].kind == Kind::mark) damaged("its pickle recalls what it never stored");
    push(memo_[slot]);
  }

  void append(const std::vector<Value>& items) {
    const Value target = top();
    if (target.kind == Kind::opaque) return;
    if (target.kind != Kind::list && target.kind != Kind::set)
      damaged("its pickle appends to something else than a list");
    auto& list = document_.sequences[target.index];
    list.insert(list.end(), items.begin(), items.end());
  }
  void set_items(const std::vector<Value>& items) {
    const Value target = top();
    if (items.size() % 2 != 0) damaged("its pickle has a key without a value");
    if (target.kind == Kind::opaque) return;
    if (target.kind != Kind::dict) damaged("its pickle stores a key in something else than a dictionary");
    for (size_t i = 0; i < items.size(); i += 2) document_.dicts[target.index].push_back({items[i], items[i + 1]});
  }

  void push_long() {
    const auto size = read<uint8_t>();
    const std::string_view digits = read_text(size);
    if (size > 8) damaged("its pickle has a number beyond 64 bits");
    uint64_t value = 0;
    for (size_t i = 0; i < size; ++i) value |= static_cast<uint64_t>(static_cast<uint8_t>(digits[i])) << (8 * i);
    if (size > 0 && size < 8 && (digits[size - 1] & 0x80)) value |= ~uint64_t{0} << (8 * size);
    push({.kind = Kind::integer, .integer = static_cast<int64_t>(value)});
  }

  /// One opcode; false after STOP.
  bool step() {
    const auto opcode = read<uint8_t>();
    switch (opcode) {
      case kProtocol:
        if (const auto protocol = read<uint8_t>(); protocol != 2)
          refuse_unsupported(path_, "uses pickle protocol " + std::to_string(protocol),
                             "Save it again with torch.save, which uses protocol 2.");
        break;
      case kStop:
        return false;
      case kGlobal: {
        const std::string_view module = read_line(), name = read_line();
        push(global_value(module, name, path_));
        break;
      }
      case kReduce:
      case kNewObject: {
        const Value arguments = pop(), callable = pop();
        push(reduce(document_, callable, arguments, path_));
        break;
      }
      case kBuild: {
        pop();  // an object's attributes (OrderedDict's _metadata): of no use here
        const Kind kind = top().kind;
        if (kind != Kind::dict && kind != Kind::opaque) damaged("its pickle sets attributes of a plain value");
        break;
      }
      case kBinPersistentId:
        push(persistent_value(document_, pop(), path_));
        break;
      case kMark:
        push({.kind = Kind::mark});
        marks_.push_back(stack_.size() - 1);
        break;
      case kTuple: {
        std::vector<Value> items = pop_to_mark();
        push(make_sequence(Kind::tuple, std::move(items)));
        break;
      }
      case kEmptyTuple:
        push_tuple(0);
        break;
      case kTuple1:
        push_tuple(1);
        break;
      case kTuple2:
        push_tuple(2);
        break;
      case kTuple3:
        push_tuple(3);
        break;
      case kEmptyList:
        push(make_sequence(Kind::list, {}));
        break;
      case kEmptySet:
        push(make_sequence(Kind::set, {}));
        break;
      case kEmptyDict:
        push(make_dict());
        break;
      case kAppend: {
        const Value item = pop();
        append({item});
        break;
      }
      case kAppends:
        append(pop_to_mark());
        break;
      case kSetItem: {
        const Value value = pop(), key = pop();
        set_items({key, value});
        break;
      }
      case kSetItems:
        set_items(pop_to_mark());
        break;
      case kNone:
        push({.kind = Kind::none});
        break;
      case kNewTrue:
        push({.kind = Kind::boolean, .integer = 1});
        break;
      case kNewFalse:
        push({.kind = Kind::boolean});
        break;
      case kBinInt:
        push({.kind = Kind::integer, .integer = read<int32_t>()});
        break;
      case kBinInt1:
        push({.kind = Kind::integer, .integer = read<uint8_t>()});
        break;
      case kBinInt2:
        push({.kind = Kind::integer, .integer = read<uint16_t>()});
        break;
      case kLong1:
        push_long();
        break;
      case kBinFloat:
        read<uint64_t>();  // no weights file needs the value
        push({.kind = Kind::real});
        break;
      case kBinUnicode:
        push_text(read_text(read<uint32_t>()));
        break;
      case kShortBinString:
        push_text(read_text(read<uint8_t>()));
        break;
      case kBinGet:
        get(read<uint8_t>());
        break;
      case kLongBinGet:
        get(read<uint32_t>());
        break;
      case kBinPut:
        put(read<uint8_t>());
        break;
      case kLongBinPut:
        put(read<uint32_t>());
        break;
      default:
        refuse_unsupported(
            path_, "uses the pickle instruction " + std::to_string(opcode) + ", which a weights file has no use for",
            "Get the model as safetensors, or save only its state_dict.");
    }
    return true;
  }

  std::span<const std::byte> bytes_;
  const std::filesystem::path& path_;
  size_t position_ = 0;
  std::vector<Value> stack_;
  std::vector<size_t> marks_;
  std::vector<Value> memo_;
  Document document_;
};

}  // namespace

Document run(std::span<const std::byte> bytes, const std::filesystem::path& path) { return Machine(bytes, path).run(); }

}  // namespace rushes::pickle
