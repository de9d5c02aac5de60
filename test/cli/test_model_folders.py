#!/usr/bin/env python3
"""Where models are found, and folders that are damaged: a sentence with file, name, expected and found; no crash."""
import json
import os
import shutil

from nybble_program import MICRO, ProgramTest, environment, main, read_safetensors, run, write_raw_safetensors, \
    write_safetensors

CONFIG_FILES = ["config.json", "tokenizer.json", "modules.json", "1_Pooling/config.json", "sentence_bert_config.json",
                "tokenizer_config.json"]
QUERY = "encoder.layer.0.attention.self.query.weight"


class Finding(ProgramTest):
    def cache(self, commit="0123abc", ref="main"):
        """A Hugging Face cache with micro-bert as org/name."""
        repository = self.folder / "hub/models--org--name"
        snapshot = repository / "snapshots" / commit
        shutil.copytree(MICRO, repository / "blobs", ignore=shutil.ignore_patterns("golden"))
        snapshot.mkdir(parents=True)
        for path in (repository / "blobs").iterdir():
            (snapshot / path.name).symlink_to(f"../../blobs/{path.name}")
        (repository / "refs").mkdir()
        (repository / "refs" / ref).write_text(commit)
        return repository

    def found(self, *options, **variables):
        text = self.succeed("info", *options, env=environment(**variables)).decode()
        return text.splitlines()[0].split(maxsplit=1)[1]

    def test_a_folder_by_option_goes_before_the_environment(self):
        self.assertEqual(self.found("--model", MICRO, NYBBLE_MODEL="/no/such/model"), str(MICRO))
        self.assertEqual(self.found(NYBBLE_MODEL=MICRO), str(MICRO))
        self.assertEqual(self.found("--model", MICRO, NYBBLE_MODEL=None), str(MICRO))

    def test_a_name_is_found_in_the_cache_of_hugging_face(self):
        snapshot = str(self.cache() / "snapshots/0123abc")
        hub = self.folder / "hub"
        self.assertEqual(self.found("--model", "org/name", HF_HUB_CACHE=hub), snapshot)
        self.assertEqual(self.found(NYBBLE_MODEL="org/name", HF_HUB_CACHE=hub), snapshot)
        self.assertEqual(self.found("--model", "org/name", HF_HOME=self.folder), snapshot)
        (self.folder / "huggingface").mkdir()
        hub.rename(self.folder / "huggingface/hub")
        self.assertEqual(self.found("--model", "org/name", XDG_CACHE_HOME=self.folder),
                         str(self.folder / "huggingface/hub/models--org--name/snapshots/0123abc"))

    def test_a_name_that_is_not_in_the_cache_is_a_sentence(self):
        hub = self.folder / "hub"
        env = environment(HF_HUB_CACHE=hub)
        self.assert_sentence(run("info", "--model", "org/name", env=env), "org/name", str(hub), code=1)
        repository = self.cache()
        (repository / "snapshots/0123abc").rename(repository / "snapshots/other")
        self.assert_sentence(run("info", "--model", "org/name", env=env), "org/name", "0123abc", code=1)
        for name in ("../name", "org/../../name", "a/b/c", "/no/such/folder", "org/na me", "x" * 5000):
            self.assert_sentence(run("info", "--model", name, env=env), name, code=1)

    def test_without_any_model_the_sentence_names_what_brings_one(self):
        for command in (["info"], ["tokenize"], ["similarity", "a", "b"], ["embed"], ["explain"]):
            env = environment(NYBBLE_MODEL=None, HOME=self.folder, XDG_CACHE_HOME=None)
            self.assert_sentence(run(*command, env=env), "tools/setup", "NYBBLE_MODEL", str(self.folder), code=1)

    def test_a_file_in_the_place_of_a_folder_is_a_sentence(self):
        self.assert_sentence(run("info", "--model", MICRO / "config.json"), "config.json", "folder", "file", code=1)

    def test_a_folder_without_safetensors_says_what_it_has_instead(self):
        model = self.copy_model()
        (model / "model.safetensors").rename(model / "pytorch_model.bin")
        self.assert_sentence(run("info", "--model", model), str(model), "model.safetensors",
                             "pytorch_model.bin", code=1)
        (model / "pytorch_model.bin").unlink()
        (model / "onnx").mkdir()
        self.assert_sentence(run("info", "--model", model), str(model), "model.safetensors", "onnx", code=1)
        (model / "onnx").rmdir()
        self.assert_sentence(run("info", "--model", model), str(model), "model.safetensors", code=1)

    def test_a_missing_file_is_named(self):
        for name in ("config.json", "tokenizer.json"):
            model = self.copy_model()
            (model / name).unlink()
            self.assert_sentence(run("info", "--model", model), str(model), name, code=1)
        (self.folder / "empty").mkdir()
        self.assert_sentence(run("info", "--model", self.folder / "empty"), str(self.folder / "empty"), code=1)
        self.assert_sentence(run("tokenize", "--model", self.folder / "empty"), "tokenizer.json", code=1)


class Damaged(ProgramTest):
    def assert_refused(self, model, *parts):
        for command in (["info"], ["embed", "--weights", "f32"]):
            self.assert_sentence(run(*command, "--model", model, stdin=b"text\n"), *parts, code=1)

    def change_json(self, name, **changes):
        model = self.copy_model()
        value = json.loads((model / name).read_text())
        for key, new in changes.items():
            if new is KeyError:
                del value[key]
            else:
                value[key] = new
        (model / name).write_text(json.dumps(value))
        return model

    def test_a_file_that_is_no_json_is_named(self):
        for name in CONFIG_FILES:
            for text in (b"", b"{", b'{"a": }', b"\xff\xfe", b'{"a": "\xff"}', b"[" * 100_000, b'{"a": 1} x', b"\0"):
                with self.subTest(name=name, text=text[:10]):
                    model = self.copy_model()
                    (model / name).write_bytes(text)
                    self.assert_refused(model, f"{model}/{name}")

    def test_a_file_with_another_json_value_is_named_with_what_was_expected(self):
        for name in CONFIG_FILES:
            for text in ("3", "null", '"text"', '{"a": 1}' if name == "modules.json" else "[]"):
                with self.subTest(name=name, text=text):
                    model = self.copy_model()
                    (model / name).write_text(text)
                    self.assert_refused(model, f"{model}/{name}", "expected")

    def test_a_wrong_value_in_config_json_is_named(self):
        for key, value, *parts in (
                ("model_type", "gpt2", "gpt2", "bert"), ("model_type", KeyError), ("model_type", 3),
                ("hidden_size", "40"), ("hidden_size", 0), ("hidden_size", -40), ("hidden_size", 1e30),
                ("hidden_size", KeyError),
                ("num_attention_heads", 7, "40", "7"), ("num_attention_heads", 0), ("num_attention_heads", KeyError),
                ("num_hidden_layers", KeyError), ("num_hidden_layers", True), ("intermediate_size", None),
                ("max_position_embeddings", []), ("vocab_size", {}), ("type_vocab_size", "2"),
                ("hidden_act", "elu", "elu", "gelu"), ("hidden_act", 1), ("layer_norm_eps", "small"),
                ("position_embedding_type", "relative_key", "relative_key", "absolute"),
                ("is_decoder", True), ("add_cross_attention", True)):
            with self.subTest(key=key, value=value):
                self.assert_refused(self.change_json("config.json", **{key: value}), "config.json", key, *parts)

    def test_a_wrong_value_in_the_other_files_is_named(self):
        for name, key, value, *parts in (
                ("1_Pooling/config.json", "pooling_mode", "median", "median", "mean", "cls"),
                ("1_Pooling/config.json", "pooling_mode", 3),
                ("sentence_bert_config.json", "max_seq_length", "many"),
                ("sentence_bert_config.json", "max_seq_length", -1),
                ("sentence_bert_config.json", "max_seq_length", 65, "64", "65"),
                ("tokenizer_config.json", "model_max_length", "many"),
                ("tokenizer_config.json", "model_max_length", -3),
                ("tokenizer.json", "model", {"type": "Lattice"}, "Lattice"),
                ("tokenizer.json", "model", {"type": "BPE"}, "vocab"),
                ("tokenizer.json", "normalizer", {"type": "Rot13"}, "Rot13"),
                ("tokenizer.json", "pre_tokenizer", {"type": "Syllables"}, "Syllables"),
                ("tokenizer.json", "pre_tokenizer", {"type": "Metaspace"}, "replacement"),
                ("tokenizer.json", "post_processor", {"type": "Chat"}, "Chat"),
                ("tokenizer.json", "added_tokens", {}),
                ("tokenizer.json", "model", KeyError)):
            with self.subTest(name=name, key=key, value=value):
                self.assert_refused(self.change_json(name, **{key: value}), name, key, *parts)

    def test_an_unknown_module_is_named(self):
        for change, *parts in (({"type": "sentence_transformers.models.CNN"}, "CNN", "Dense"),
                               ({"type": "custom_st.Pooling"}, "custom_st", "Pooling"),
                               ({"path": "../elsewhere"}, "path"), ({"type": 4}, "type"), ({"path": "/etc"}, "path")):
            model = self.copy_model()
            modules = json.loads((model / "modules.json").read_text())
            modules[1].update(change)
            (model / "modules.json").write_text(json.dumps(modules))
            self.assert_refused(model, "modules.json", *parts)

    def test_tokens_beyond_the_table_of_words_are_refused(self):
        model = self.copy_model()
        tokenizer = json.loads((model / "tokenizer.json").read_text())
        tokenizer["model"]["vocab"]["zzzbeyond"] = 307
        (model / "tokenizer.json").write_text(json.dumps(tokenizer))
        result = run("embed", "--model", model, stdin=b"fine\nzzzbeyond\n")
        self.assert_sentence(result, "306", "307")


class DamagedWeights(ProgramTest):
    def assert_refused(self, *parts, model=None):
        model = model or self.folder / "model"
        for command in (["info"], ["info", "--weights", "f32"]):
            self.assert_sentence(run(*command, "--model", model), "model.safetensors", *parts, code=1)

    def change(self, change):
        """A model with the tensors that change() leaves."""
        file = self.copy_model() / "model.safetensors"
        tensors = read_safetensors(file)
        change(tensors)
        write_safetensors(file, tensors)

    def change_header(self, change):
        file = self.copy_model() / "model.safetensors"
        data = file.read_bytes()
        start = 8 + int.from_bytes(data[:8], "little")
        header = json.loads(data[8:start])
        change(header)
        write_raw_safetensors(file, header, data[start:])

    def test_the_writer_of_these_tests_writes_what_is_read(self):
        self.change(lambda tensors: tensors.update(unused=("I8", [3], b"abc")))
        self.assertEqual(self.succeed("embed", "--model", self.folder / "model", stdin=b"x"),
                         self.succeed("embed", stdin=b"x"))

    def test_a_cut_file_is_refused_wherever_it_is_cut(self):
        file = self.copy_model() / "model.safetensors"
        data = file.read_bytes()
        start = 8 + int.from_bytes(data[:8], "little")
        for size in (0, 1, 7, 8, 9, 100, start - 1, start, start + 1, len(data) // 2, len(data) - 1):
            with self.subTest(size):
                file.write_bytes(data[:size])
                self.assert_refused(str(file))
        file.write_bytes(data + b"x")
        self.assert_refused(str(file))

    def test_a_lying_header_is_refused(self):
        file = self.copy_model() / "model.safetensors"
        data = file.read_bytes()
        for length in (0, 1, len(data) - 8, len(data), 1 << 40, (1 << 64) - 1):
            with self.subTest(length):
                file.write_bytes(length.to_bytes(8, "little") + data[8:])
                self.assert_refused(str(file))

    def test_offsets_that_overlap_leave_a_hole_or_the_file_are_refused(self):
        for offsets in ([0, 6400], [-1, 6399], [10, 3], [1 << 62, (1 << 62) + 6400], [1 << 70, 1 << 71], [0.5, 6400],
                        [0], "0", None):
            with self.subTest(offsets):
                self.change_header(lambda header, offsets=offsets: header[QUERY].update(data_offsets=offsets))
                self.assert_refused("data_offsets" if not isinstance(offsets, list) or len(offsets) != 2 else "")

    def test_a_missing_tensor_is_named_with_the_shape_expected(self):
        for name, shape in ((QUERY, "[40, 40]"), ("embeddings.word_embeddings.weight", "[307, 40]"),
                            ("embeddings.LayerNorm.weight", "[40]"), ("encoder.layer.0.output.dense.bias", "[40]")):
            self.change(lambda tensors, name=name: tensors.pop(name))
            self.assert_refused(name, shape)

    def test_a_wrong_shape_is_named_with_both(self):
        def transpose(tensors):
            dtype, _, data = tensors["encoder.layer.0.intermediate.dense.weight"]
            tensors["encoder.layer.0.intermediate.dense.weight"] = dtype, [40, 70], data

        self.change(transpose)
        self.assert_refused("encoder.layer.0.intermediate.dense.weight", "[70, 40]", "[40, 70]")
        self.change_header(lambda header: header[QUERY].update(shape=[1 << 33, 1 << 33]))
        self.assert_refused(QUERY)
        self.change_header(lambda header: header[QUERY].update(shape=[40, 39]))
        self.assert_refused(QUERY)

    def test_another_element_type_is_named(self):
        def widen(tensors, dtype="F64"):
            tensors[QUERY] = dtype, [40, 40], bytes(12800)

        self.change(widen)
        self.assert_refused(QUERY, "F64", "F32", "F16", "BF16")
        self.change(lambda tensors: tensors.update({QUERY: ("I8", [40, 40], bytes(1600))}))
        self.assert_refused(QUERY, "I8", "F32")
        self.change_header(lambda header: header[QUERY].update(dtype="Q4"))
        self.assert_refused(QUERY, "Q4")

    def test_control_characters_in_names_reach_no_terminal(self):
        name = "odd\n\x1b[31m name"
        self.change_header(lambda header: header.update({name: header.pop(QUERY), "\x07": {"dtype": "\n"}}))
        self.assert_refused()
        model = self.copy_model(name=name)
        (model / "config.json").unlink()
        self.assert_sentence(run("info", "--model", model), "odd??[31m name", "config.json", code=1)

    def test_more_layers_than_the_file_has_name_the_first_tensor_missing(self):
        model = self.copy_model()
        config = json.loads((model / "config.json").read_text())
        for layers in (2, 1_000_000):
            (model / "config.json").write_text(json.dumps({**config, "num_hidden_layers": layers}))
            result = run("info", "--model", model)
            self.assert_sentence(result, code=1)
            self.assertRegex(result.stderr.decode(), r"encoder\.layer\.1\.|num_hidden_layers")

    def test_weights_that_are_not_numbers_are_no_crash(self):
        def poison(tensors):
            dtype, shape, data = tensors[QUERY]
            tensors[QUERY] = dtype, shape, b"\x00\x00\xc0\x7f" * 800 + b"\x00\x00\x80\x7f" * 800

        self.change(poison)
        for weights in ("f32", "int8"):
            result = run("embed", "--weights", weights, "--model", self.folder / "model", stdin=b"some words\n")
            self.assertIn(result.returncode, (0, 1))
            for line in result.stdout.splitlines():
                self.assertEqual(len(json.loads(line)["embedding"]), 40)


main()
