# A toy transformer that trains in a minute on a CPU core.
data_preprocessor = dict(type='BaseDataPreprocessor')
model = dict(
    type='mmsuper.NextToken',
    network=dict(
        type='mmsuper.ToyTransformer',
        vocab_size=67, dim=64, n_layers=1, n_heads=1, max_length=64))
