"""Tables in every orientation, and tables back."""
import bentoml
import pandas as pd
from bentoml.adapters import DataframeInput, DataframeOutput


def describe(df):
    return [
        {'columns': [str(name) for name in df.columns], 'row': row}
        for row in df.where(df.notnull(), None).values.tolist()
    ]


@bentoml.env(pip_packages=['pandas'])
class FrameService(bentoml.BentoService):
    """Tables in every orientation."""

    @bentoml.api(input=DataframeInput(), batch=True)
    def rows(self, df):
        return describe(df)

    @bentoml.api(input=DataframeInput(), batch=True)
    def kinds(self, df):
        kinds = [dtype.kind for dtype in df.dtypes]
        return [kinds for _ in range(len(df))]

    @bentoml.api(input=DataframeInput(orient='records'), batch=True)
    def records(self, df):
        return describe(df)

    @bentoml.api(input=DataframeInput(orient='columns'), batch=True)
    def columns(self, df):
        return describe(df)

    @bentoml.api(input=DataframeInput(orient='values'), batch=True)
    def values(self, df):
        return describe(df)

    @bentoml.api(input=DataframeInput(orient='split'), batch=True)
    def split(self, df):
        return describe(df)

    @bentoml.api(input=DataframeInput(orient='index'), batch=True)
    def by_index(self, df):
        return describe(df)

    @bentoml.api(input=DataframeInput(columns=['a', 'b']), batch=True)
    def named(self, df):
        return describe(df)

    @bentoml.api(
        input=DataframeInput(
            columns=['a', 'b'], dtype={'a': 'float64', 'b': 'str'}, orient='records'
        ),
        batch=True,
    )
    def typed(self, df):
        return [
            {'a': a, 'b': b, 'kinds': [dtype.kind for dtype in df.dtypes]}
            for a, b in df.values.tolist()
        ]

    @bentoml.api(input=DataframeInput(), output=DataframeOutput(), batch=True)
    def frame_records(self, df):
        return df

    @bentoml.api(
        input=DataframeInput(), output=DataframeOutput(output_orient='split'), batch=True
    )
    def frame_split(self, df):
        return df

    @bentoml.api(input=DataframeInput(), batch=True)
    def frame_default(self, df):
        return pd.DataFrame({'total': df.sum(axis=1)})

    @bentoml.api(input=DataframeInput(), batch=True)
    def series_default(self, df):
        return df.iloc[:, 0] * 2

    @bentoml.api(input=DataframeInput(), batch=True)
    def array(self, df):
        return df.values

    @bentoml.api(input=DataframeInput(), batch=True)
    def needs_a(self, df):
        return df['a'] + 1
