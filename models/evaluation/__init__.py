"""Measure models: every table and figure of FaceNet that can be measured on public data, and photographs as sent.

metrics/       computes rates, thresholds, curves and costs from distances, labels and graphs
data/          which photographs are compared: lists of pairs, folders of people
embedding/     embeds files, with the pipeline of the service
experiments/   one file for each table or figure: what is measured, and its report
identification/ an open set: who is found, and which strangers get a name. Also a report
photographs/   photographs as people send them: turned, with small faces, from close by, without a face. Also reports
quality/       photographs that are degraded, and whether the quality score predicts which of them fail. Also reports
reports/       writes a report as a JSON file, a picture, a table, or rows of a model's card

To add an evaluation:
1. Write `experiments/NAME.py`. It holds a class with the methods of `reports.report.Report` (`rows`, `numbers`,
   `draw`), and a function `evaluate_NAME` that measures and returns an object of this class. Rates and thresholds are
   methods of `metrics.labelled_pairs.LabelledPairs`. Embeddings come from `embedding/`.
2. Add a command to `models/commands/evaluation.py`. It reads the data, calls `evaluate_NAME`, and passes the report to
   `finish_report`, which writes NAME.json and NAME.png and prints the table.
3. Test the class and the function in `tests/models/evaluation/experiments/test_NAME.py`, and the command in
   `tests/models/commands/test_evaluation.py`.
4. Name the command in the table of `models/README.md`.
"""
