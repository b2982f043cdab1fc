// libnvrtc.so.12 for machines without a GPU: "compiling" is what the preprocessor does, and a look whether the rest goes
// well. What it gives for PTX is CUDA C++, which the emulated driver compiles for the processor.
//
// As NVRTC, it finds no header by itself, takes compute capability 5.2 if none is said, and refuses options that it does
// not know.
#include "module.h"
#include <set>

#define API extern "C" __attribute__((visibility("default")))
enum { SUCCESS = 0, INVALID_INPUT = 3, INVALID_PROGRAM = 4, INVALID_OPTION = 5, COMPILATION = 6 };

struct Program {
    std::string source, name, text, log;
    std::vector<std::pair<std::string, std::string>> headers; // names and contents
};

API int nvrtcVersion(int *major, int *minor) { return *major = 12, *minor = 9, SUCCESS; }
API const char *nvrtcGetErrorString(int code) {
    switch (code) {
    case SUCCESS: return "NVRTC_SUCCESS";
    case INVALID_INPUT: return "NVRTC_ERROR_INVALID_INPUT";
    case INVALID_PROGRAM: return "NVRTC_ERROR_INVALID_PROGRAM";
    case INVALID_OPTION: return "NVRTC_ERROR_INVALID_OPTION";
    case COMPILATION: return "NVRTC_ERROR_COMPILATION";
    }
    return "NVRTC_ERROR unknown";
}
API int nvrtcGetNumSupportedArchs(int *count) { return *count = 3, SUCCESS; }
API int nvrtcGetSupportedArchs(int *them) { return them[0] = 70, them[1] = 80, them[2] = 90, SUCCESS; }

API int nvrtcCreateProgram(Program **program, const char *source, const char *name, int count, const char *const *contents,
                           const char *const *names) {
    if (!program || !source) return INVALID_INPUT;
    *program = new Program{source, name ? name : "default_program", "", "", {}};
    for (int i = 0; i < count; i++) (*program)->headers.emplace_back(names[i], contents[i]);
    return SUCCESS;
}
API int nvrtcDestroyProgram(Program **program) {
    delete *program;
    *program = nullptr;
    return SUCCESS;
}

API int nvrtcCompileProgram(Program *program, int count, const char *const *options) {
    if (!program) return INVALID_PROGRAM;
    program->log.clear();
    std::vector<std::string> words = {"c++", "-E", "-x", "c++", "-std=gnu++17", "-w", "-nostdinc", "-D__CUDACC__", "-D__CUDACC_RTC__", "-D__WORDSIZE=64"};
    std::string arch = "520";
    for (int i = 0; i < count; i++) {
        std::string option = options[i], value;
        size_t equals = option.find('=');
        bool separate = option[0] == '-' && (equals == std::string::npos || option.compare(0, 2, "-D") == 0);
        if (!separate) value = option.substr(equals + 1), option.resize(equals);
        auto next = [&] { return separate && i + 1 < count ? std::string(options[++i]) : value; };
        if (option == "--gpu-architecture" || option == "-arch") {
            std::string digits = next();
            digits.erase(0, digits.find_first_of("0123456789"));
            arch = digits.substr(0, digits.find_first_not_of("0123456789")) + "0";
        } else if (option == "--define-macro") {
            words.push_back("-D" + next());
        } else if (option == "--undefine-macro") {
            words.push_back("-U" + next());
        } else if (option == "--include-path") {
            words.push_back("-I" + next());
        } else if (option == "--pre-include") {
            words.push_back("-include"), words.push_back(next());
        } else if (option.size() > 2 && (option.compare(0, 2, "-D") == 0 || option.compare(0, 2, "-U") == 0 || option.compare(0, 2, "-I") == 0)) {
            words.push_back(options[i]);
        } else if (option == "-D" || option == "-U" || option == "-I") {
            words.push_back(option + next());
        } else {
            // These change how fast the code is, or how exact, and nothing here.
            static const std::set<std::string> known = {
                "--std", "-std", "--use_fast_math", "-use_fast_math", "--fmad", "-fmad", "--ftz", "-ftz", "--prec-div", "-prec-div",
                "--prec-sqrt", "-prec-sqrt", "--maxrregcount", "-maxrregcount", "--restrict", "-restrict", "--generate-line-info",
                "-lineinfo", "--device-debug", "-G", "--device-as-default-execution-space", "-default-device",
                "--extra-device-vectorization", "-extra-device-vectorization", "--disable-warnings", "-w", "--diag-suppress",
                "--dopt", "-dopt", "--relocatable-device-code", "--extensible-whole-program", "--minimal", "-minimal",
                "--split-compile", "--display-error-number", "--no-display-error-number"};
            if (!known.count(option)) {
                program->log = "nvrtc: error: invalid value for --gpu-architecture or unrecognized option " + std::string(options[i]) + "\n";
                return INVALID_OPTION;
            }
        }
    }
    words.push_back("-D__CUDA_ARCH__=" + arch);

    // The preprocessor wants files: of the program, and of the headers that came with it.
    const char *temporary = getenv("TMPDIR");
    std::string place = std::string(temporary ? temporary : "/tmp") + "/emulated-nvrtc-XXXXXX";
    if (!mkdtemp(place.data())) return program->log = "there can be no folder " + place + "\n", COMPILATION;
    const char *folder = place.c_str();
    std::vector<std::string> files;
    auto write = [&](const std::string &name, const std::string &contents) {
        std::string path = std::string(folder) + "/" + name;
        for (size_t i = strlen(folder) + 1; (i = path.find('/', i)) != std::string::npos; i++) {
            mkdir(path.substr(0, i).c_str(), 0700);
            files.push_back(path.substr(0, i));
        }
        std::ofstream(path, std::ios::binary) << contents;
        files.push_back(path);
    };
    for (auto &[name, contents] : program->headers) write(name, contents);
    std::string main = program->name.substr(program->name.rfind('/') + 1);
    write(main, program->source);
    words.push_back("-I" + std::string(folder));
    std::string output = std::string(folder) + "/emulated output";
    files.push_back(output);
    for (auto &word : {std::string("-o"), output, std::string(folder) + "/" + main}) words.push_back(word);
    bool done = run(words, program->log);
    std::string text = read_file(output);
    for (auto file = files.rbegin(); file != files.rend(); ++file) remove(file->c_str());
    rmdir(folder);
    // The folder has another name every time, and the text is what compiled kernels are kept by.
    for (std::string *it : {&text, &program->log})
        for (size_t at; (at = it->find(std::string(folder) + "/")) != std::string::npos;) it->erase(at, strlen(folder) + 1);
    program->text = EMULATED + std::string(" ") + arch + " nvrtc\n" + text;
    if (done) done = !build_module(program->text, program->log).empty();
    return done ? SUCCESS : COMPILATION;
}

API int nvrtcGetPTXSize(Program *program, size_t *size) { return *size = program->text.size() + 1, SUCCESS; }
API int nvrtcGetPTX(Program *program, char *text) { return strcpy(text, program->text.c_str()), SUCCESS; }
API int nvrtcGetProgramLogSize(Program *program, size_t *size) { return *size = program->log.size() + 1, SUCCESS; }
API int nvrtcGetProgramLog(Program *program, char *text) { return strcpy(text, program->log.c_str()), SUCCESS; }
