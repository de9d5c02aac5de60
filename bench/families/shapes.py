"""The families, and the published sizes of a well-known model of each."""
import dataclasses


@dataclasses.dataclass(frozen=True)
class Family:
    """`goldens`: folders of test/golden, by what their names begin with; `tokenizer`: its kind in
    test/tokenizer/families.py, which parity_families.py compares; `tasks`: folders of test/golden/tasks; `model`: the
    classes of transformers, empty where it has none and reference_rotary.py takes its place."""
    name: str
    title: str
    shape: str
    goldens: tuple
    tokenizer: str
    model: str
    config: dict
    tasks: tuple = ()

    @property
    def longest(self):
        """The longest sequence that the config allows."""
        positions = self.config.get("max_position_embeddings", 512)
        behind_padding = self.name in ("roberta", "xlm-roberta", "camembert", "mpnet")
        return positions - 2 if behind_padding else positions


BASE = dict(hidden_size=768, num_hidden_layers=12, num_attention_heads=12, intermediate_size=3072)
ROBERTA = BASE | dict(max_position_embeddings=514, type_vocab_size=1, layer_norm_eps=1e-5, pad_token_id=1,
                      bos_token_id=0, eos_token_id=2)
LONG = BASE | dict(max_position_embeddings=8192, layer_norm_eps=1e-12, pad_token_id=0)

FAMILIES = [
    Family("bert", "BERT", "bert-base", ("tiny-bert",), "distilbert", "Bert", BASE | dict(vocab_size=30522),
           ("bert", "rerank-bert")),
    Family("roberta", "RoBERTa", "roberta-base", ("families/roberta",), "roberta", "Roberta",
           ROBERTA | dict(vocab_size=50265), ("roberta",)),
    Family("xlm-roberta", "XLM-RoBERTa", "xlm-roberta-base", ("families/xlm-roberta",), "xlm-roberta", "XLMRoberta",
           ROBERTA | dict(vocab_size=250002), ("xlm-roberta", "rerank-xlm-roberta")),
    Family("camembert", "CamemBERT", "camembert-base", ("families/camembert",), "camembert", "Camembert",
           ROBERTA | dict(vocab_size=32005), ("camembert",)),
    Family("distilbert", "DistilBERT", "distilbert-base", ("families/distilbert",), "distilbert", "DistilBert",
           dict(vocab_size=30522, max_position_embeddings=512, dim=768, n_layers=6, n_heads=12, hidden_dim=3072),
           ("distilbert",)),
    Family("electra", "ELECTRA", "electra-base", ("families/electra",), "distilbert", "Electra",
           BASE | dict(vocab_size=30522, embedding_size=768, max_position_embeddings=512), ("electra",)),
    Family("mpnet", "MPNet", "mpnet-base", ("families/mpnet",), "mpnet", "MPNet",
           BASE | dict(vocab_size=30527, max_position_embeddings=514, layer_norm_eps=1e-5), ("mpnet",)),
    Family("albert", "ALBERT", "albert-base-v2", ("families/albert",), "albert", "Albert",
           BASE | dict(vocab_size=30000, embedding_size=128, max_position_embeddings=512), ("albert",)),
    Family("modernbert", "ModernBERT", "ModernBERT-base", ("families/modernbert",), "modernbert", "ModernBert",
           dict(vocab_size=50368, hidden_size=768, intermediate_size=1152, num_hidden_layers=22,
                num_attention_heads=12, max_position_embeddings=8192), ("modernbert",)),
    Family("nomic-bert", "NomicBERT", "nomic-embed-text-v1.5", ("families/nomic-bert",), "distilbert", "NomicBert",
           BASE | dict(vocab_size=30528, max_position_embeddings=8192, type_vocab_size=2,
                       rope_parameters=dict(rope_theta=1000.0, rope_type="default")), ("nomic-bert",)),
    Family("gte-new", "GTE-new", "gte-base-en-v1.5", ("families/gte-new",), "distilbert", "",
           LONG | dict(vocab_size=30528, type_vocab_size=0, rope_theta=500000,
                       rope_scaling=dict(factor=2.0, type="ntk"), pack_qkv=True, hidden_act="gelu", model_type="new",
                       layer_norm_type="layer_norm", position_embedding_type="rope",
                       auto_map=dict(AutoModel="Alibaba-NLP/new-impl--modeling.NewModel")), ("gte-new",)),
    Family("deberta", "DeBERTa-v2, -v3", "deberta-v3-base", ("families/deberta",), "deberta-v3", "DebertaV2",
           BASE | dict(vocab_size=128100, max_position_embeddings=512, type_vocab_size=0, layer_norm_eps=1e-7,
                       relative_attention=True, position_buckets=256, norm_rel_ebd="layer_norm", share_att_key=True,
                       pos_att_type=["p2c", "c2p"], max_relative_positions=-1, position_biased_input=False),
           ("deberta-v2",)),
    Family("jina-bert", "Jina-BERT-v2", "jina-embeddings-v2-base-en", ("families/jina-bert",), "distilbert", "",
           LONG | dict(vocab_size=30528, type_vocab_size=2, hidden_act="gelu", feed_forward_type="geglu",
                       position_embedding_type="alibi", emb_pooler="mean", model_type="bert", architectures=["JinaBertForMaskedLM"],
                       auto_map=dict(AutoModel="jinaai/jina-bert-implementation--modeling_bert.JinaBertModel")),
           ("jina-bert-v2",)),
]
BY_NAME = {family.name: family for family in FAMILIES}
